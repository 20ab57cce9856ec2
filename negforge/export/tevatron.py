"""Write what Tevatron's retrievers and rerankers are trained on: a query with its passages, or with the ids of its documents.

- `passages`: query_id, query, positive_passages and negative_passages, lists of {docid, title, text}.
- `ids`: query_id, query_text, positive_document_ids and negative_document_ids, and beside NAME.jsonl a folder NAME.corpus of
  docid and text, each document once, to be named as `--corpus_name`.

One row an anchor, with all its positives and its negatives, best first, each text once. docid is the text's id in the corpus,
else the digest of the text. `title` is empty and `text` the whole text, title and all, since that is what a table of negatives
holds; Tevatron joins the two. With `--scores`, each passage has its `score`; documents named by id have positive_scores and
negative_scores beside them, which the trainer passes over. Tevatron draws again from too few negatives, but from none it cannot:
an anchor without has no row. Ids and lineage lie row for row in a `provenance` table beside the file.
Source: Tevatron 0.1.0, `TrainPreProcessor` (passages), and main at 0a9626f, `TrainDataset` (both); texttron/tevatron#43, #87
(published negatives that nobody can rebuild).
"""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge.contract import Declares, Exported
from negforge.layouts import Docids, lists, sides
from negforge.records import Negatives

DECLARES = Declares(version=1, scope="anchor", reads=Negatives, formats=("jsonl", "parquet"))


def export(
    batch: Negatives,
    *,
    language: str,  # noqa: ARG001 - of the texts, for which the runner leaves out negatives that are right
    layout: Annotated[
        Literal["passages", "ids"], Field(description="Whether a row holds its texts (`passages`) or names them in a corpus (`ids`).")
    ] = "passages",
    n: Annotated[int | None, Field(ge=1, description="The most negatives of an anchor; default all.")] = None,
    scores: Annotated[
        str | None, Field(description="A score_ column to write; the positives' comes from the one with _positive.", examples=["score_x"])
    ] = None,
    docids: Annotated[
        Docids, Field(description="What docid is: the text's id in a corpus, where it has one (`given`), or its digest (`text`).")
    ] = "given",
) -> Exported:
    """One row an anchor, and the texts that it names, if it does.

    batch: whole anchors. Texts beyond n are dropped as `beyond-n`. Raises InputError for a score that is not there or null.
    """
    found = sides(batch, title="export tevatron", n=n, scores=scores, docids=docids)
    passage = pl.struct("docid", pl.lit("").alias("title"), "text", *(["score"] if scores else [])).alias("passage")
    lines, provenance = lists(found, passage)
    if layout == "passages":
        names = {"query_id": "anchor_id", "query": "anchor", "positive_passages": "positive_passage", "negative_passages": "passage"}
        return Exported(lines.select(pl.col(of).alias(name) for name, of in names.items()), provenance, found.lost)
    names = {"query_id": "anchor_id", "query_text": "anchor"}
    names |= {"positive_document_ids": "positive_docid", "negative_document_ids": "docid"}
    names |= {"positive_scores": "positive_score", "negative_scores": "score"} if scores else {}
    corpus = pl.concat([found.positives, found.negatives]).select("docid", "text")
    return Exported(lines.select(pl.col(of).alias(name) for name, of in names.items()), provenance, found.lost, corpus)

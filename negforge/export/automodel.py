"""Write what NeMo Automodel's retrieval recipes read: a question with its documents, or with their ids in a corpus beside the file.

- `inline`: a .jsonl of question_id, question, pos_doc and neg_doc, lists of {id, text, score}. Automodel keeps the texts alone.
- `corpus`: a .json of `corpus`, the path of a folder NAME.corpus, and `data`, a list of question_id, question, corpus_id, pos_doc and
  neg_doc, lists of {id, score}, as its own `mine_hard_negatives` writes them. The folder holds id and text of each document
  once, and merlin_metadata.json, which names the corpus. Two files that are trained on together need a `--corpus-id` each.

One record an anchor, with all its positives (the trainer takes the first, or one an epoch with `cycle_positive_docs`) and its negatives,
best first, each text once; an anchor without negatives has none, since Automodel refuses it. An id is the text's in the corpus,
else the digest of the text. `score` is there where `--scores` names one; a score is always a number. Ids and lineage lie row for row
in a `provenance` table beside the file.
Source: NVIDIA-NeMo/Automodel#2906 (short queries got rejected texts, scored -Infinity); NeMo Automodel 0.7.0, `retrieval_dataset`,
`retrieval_dataset_inline` and the recipe `mine_hard_negatives`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge.contract import Declares, Exported
from negforge.errors import UsageError
from negforge.layouts import Docids, lists, sides
from negforge.records import Negatives

DECLARES = Declares(
    version=1,
    scope="anchor",
    reads=Negatives,
    formats=("jsonl",),
    layouts={"inline": ("jsonl",), "corpus": ("json",)},
    document='{"corpus": [{"path": {corpus}}],\n"data": {rows}}',
    beside={
        "merlin_metadata.json": '{"corpus_id": {corpus_id}, "class": "TextQADataset", "query_instruction": {query_instruction}, '
        '"passage_instruction": {passage_instruction}}\n'
    },
)
_CORPUS = "corpus"


def export(
    batch: Negatives,
    *,
    language: str,  # noqa: ARG001 - of the texts, for which the runner leaves out negatives that are right
    layout: Annotated[
        Literal["inline", "corpus"], Field(description="Whether a record holds its texts (`inline`) or names them in a corpus (`corpus`).")
    ] = "inline",
    n: Annotated[int | None, Field(ge=1, description="The most negatives of an anchor; default all.")] = None,
    scores: Annotated[
        str | None, Field(description="A score_ column to write; the positives' comes from the one with _positive.", examples=["score_x"])
    ] = None,
    docids: Annotated[
        Docids, Field(description="What an id is: the text's in a corpus, where it has one (`given`), or its digest (`text`).")
    ] = "given",
    corpus_id: Annotated[str, Field(description="The name of the corpus that records are found in.", min_length=1)] = _CORPUS,
    query_instruction: Annotated[str, Field(description="What the corpus says is put before a question.")] = "",
    passage_instruction: Annotated[str, Field(description="What the corpus says is put before a document.")] = "",
) -> Exported:
    """One record an anchor, and the texts that it names, if it does.

    batch: whole anchors. Texts beyond n are dropped as `beyond-n`. Raises InputError for a score that is not there or null,
    UsageError for what is said of a corpus where there is none.
    """
    inline = layout == "inline"
    if inline and (corpus_id != _CORPUS or query_instruction or passage_instruction):
        raise UsageError(
            "--corpus-id and the instructions are said of a corpus", "--layout inline has none", "pass --layout corpus, or leave them out"
        )
    found = sides(batch, title="export automodel", n=n, scores=scores, docids=docids)
    parts = [pl.col("docid").alias("id"), *(["text"] if inline else []), *(["score"] if scores else [])]
    lines, provenance = lists(found, pl.struct(parts).alias("doc"))
    names = [pl.col("anchor_id").alias("question_id"), pl.col("anchor").alias("question")]
    names += [] if inline else [pl.lit(corpus_id).alias("corpus_id")]
    rows = lines.select(*names, pl.col("positive_doc").alias("pos_doc"), pl.col("doc").alias("neg_doc"))
    if inline:
        return Exported(rows, provenance, found.lost)
    corpus = pl.concat([found.positives, found.negatives]).select(pl.col("docid").alias("id"), "text")
    return Exported(rows, provenance, found.lost, corpus)

"""Write the JSON that DPR and its kin (AR2, SimANS, Haystack) are trained on: a question with its positive and negative contexts.

One record an anchor: `q_id`, `question`, `answers`, and `positive_ctxs`, `negative_ctxs` and `hard_negative_ctxs`, lists of
{title, text, score, title_score, passage_id}, best first, each text once. A .json is one array of them, which DPR reads whole; a
.jsonl has a record a line.

Negatives that were drawn at random go to `negative_ctxs`; all others were chosen because they are near, and go to
`hard_negative_ctxs`, as does a text that is there for both reasons. `score` is null unless `--scores` names one. `title` is empty
and `title_score` 0, since a table of negatives holds a passage whole, its title before its text; a reader encodes the text
alone then. passage_id is the text's id in the corpus, else the digest of the text. An anchor with no negative of either kind has no
record. Ids and lineage lie row for row in a `provenance` table beside the file.
Source: facebookresearch/DPR, its training files for Natural Questions; Zhang et al. 2022, Adversarial Retriever-Ranker (AR2), whose
negatives are all hard; farm-haystack 1.26.4, `_read_dpr_json`.
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import SHORTAGE, Declares, Exported
from negforge.errors import InputError
from negforge.layouts import Docids, lists, sides
from negforge.records import Negatives, missing_column

DECLARES = Declares(version=1, scope="anchor", reads=Negatives, formats=("json", "jsonl"))
_CHANCE = ["mine.random"]
_KINDS = ("negative_ctxs", "hard_negative_ctxs")


def export(
    batch: Negatives,
    *,
    language: str,  # noqa: ARG001 - of the texts, for which the runner leaves out negatives that are right
    n: Annotated[int | None, Field(ge=1, description="The most negatives of an anchor, of both kinds together; default all.")] = None,
    scores: Annotated[
        str | None, Field(description="A score_ column to write; the positives' comes from the one with _positive.", examples=["score_x"])
    ] = None,
    answers: Annotated[
        str | None, Field(description="A column of a question's answers, a text or a list of them; by default there are none.")
    ] = None,
    easy: Annotated[
        list[str] | None,
        Field(description="An operator whose texts are no hard negatives but go to negative_ctxs; default mine.random. Repeatable."),
    ] = None,
    docids: Annotated[
        Docids, Field(description="What passage_id is: the text's id in a corpus, where it has one (`given`), or its digest (`text`).")
    ] = "given",
) -> Exported:
    """One record an anchor.

    batch: whole anchors. Texts beyond n are dropped as `beyond-n`. Raises InputError for a column that is not there or holds no
    texts, and for a score that is null.
    """
    found = sides(batch, title="export dpr", n=n, scores=scores, docids=docids)
    drawn = pl.col("operator").is_in(easy or _CHANCE) | (pl.col("evidence").list.contains(SHORTAGE) & pl.lit(easy is None))
    chosen = batch.frame.filter(~drawn).select("anchor_id", pl.col("negative").alias("text")).unique()
    negatives = found.negatives.join(chosen.with_columns(pl.lit(1).alias("hard")), on=["anchor_id", "text"], how="left")
    negatives = negatives.with_columns(pl.col("hard").fill_null(0)).sort("turn", "hard", "place")
    context = pl.struct(
        pl.lit("").alias("title"), "text", "score", pl.lit(0, pl.Int64).alias("title_score"), pl.col("docid").alias("passage_id")
    ).alias("context")
    lines, provenance = lists(found._replace(negatives=negatives), context)
    kinds = negatives.with_columns(context).group_by("anchor_id", maintain_order=True)
    ctxs = kinds.agg(pl.col("context").filter(pl.col("hard") == hard).alias(name) for hard, name in enumerate(_KINDS))
    lines = lines.join(ctxs, on="anchor_id", maintain_order="left").join(
        _answers(batch, answers), on="anchor_id", how="left", maintain_order="left"
    )
    names = [pl.col("anchor_id").alias("q_id"), pl.col("anchor").alias("question"), pl.col("answers").fill_null([])]
    return Exported(lines.select(*names, pl.col("positive_context").alias("positive_ctxs"), *_KINDS), provenance, found.lost)


def _answers(batch: Negatives, name: str | None) -> pl.DataFrame:
    """The answers of each anchor that has any, each once, in the order of its sources."""
    if name is None:
        return pl.DataFrame(schema={"anchor_id": pl.String, "answers": pl.List(pl.String)})
    if name not in batch:
        raise missing_column("answers", batch.frame.columns, "the table", name)
    dtype = batch[name].dtype
    if dtype not in (pl.String, pl.List(pl.String), pl.Null):
        raise InputError(f"column '{name}' holds no texts", f"its type is {dtype}", "name a column of texts or of lists of texts")
    rows = batch.frame.sort("source_id", "id").select("anchor_id", pl.col(name).alias("answers"))
    every = rows.explode("answers") if isinstance(dtype, pl.List) else rows.with_columns(pl.col("answers").cast(pl.String))
    return every.drop_nulls().unique(maintain_order=True).group_by("anchor_id", maintain_order=True).agg("answers")

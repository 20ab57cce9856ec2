"""Write the JSON lines that FlagEmbedding's embedders and rerankers are trained on: a query, its positives, its negatives.

One line an anchor: `query`, `pos` (all its positives) and `neg` (its negatives, best first), each text once, always as lists.
FlagEmbedding draws one of `pos` and some of `neg` each epoch; it repeats negatives where an anchor has too few, and reads
only .json and .jsonl. Ids and lineage lie row for row in a `provenance` table beside the file.
Source: FlagEmbedding 1.4.2, `AbsDataset`; FlagOpen/FlagEmbedding#470, #1194 (`pos` as a string is read letter by letter),
#464 (a positive among the negatives).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import Declares, Exported
from negforge.layouts import sides
from negforge.records import Negatives

DECLARES = Declares(version=2, scope="anchor", reads=Negatives, formats=("jsonl",))


def export(
    batch: Negatives,
    *,
    language: str,  # noqa: ARG001 - of the texts, for which the runner leaves out negatives that are right
    n: Annotated[int | None, Field(ge=1, description="The most negatives of an anchor; default all.")] = None,
    scores: Annotated[
        str | None,
        Field(
            description="For distillation: the score_ column for neg_scores; pos_scores come from the one with _positive.",
            examples=["score_x"],
        ),
    ] = None,
    prompt: Annotated[str | None, Field(description="An instruction to write as `prompt`, in place of the trainer's own.")] = None,
) -> Exported:
    """One row an anchor: query, pos, neg, then pos_scores, neg_scores and prompt where they were asked for.

    batch: whole anchors. Texts beyond n are dropped as `beyond-n`. Raises InputError for a score that is not there or null.
    """
    found = sides(batch, title="export flag-embedding", n=n, scores=scores)
    right = found.positives.rename({"text": "pos", "score": "pos_scores", "source_id": "source_ids"})
    right = right.group_by("anchor_id", maintain_order=True).agg("pos", "pos_scores", "source_ids")
    wrong = found.negatives.rename({"text": "neg", "score": "neg_scores", "id": "ids"})
    wrong = wrong.group_by("anchor_id", maintain_order=True).agg(
        pl.col("anchor").first().alias("query"), "neg", "neg_scores", "ids", "operator"
    )
    lines = wrong.join(right, on="anchor_id", maintain_order="left")
    names = ["query", "pos", "neg", *(["pos_scores", "neg_scores"] if scores else [])]
    rows = lines.select(*names, *([pl.lit(prompt).alias("prompt")] if prompt is not None else []))
    return Exported(rows, lines.select("anchor_id", "source_ids", "ids", "operator"), found.lost)

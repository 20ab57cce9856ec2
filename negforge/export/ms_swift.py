"""Write the JSON lines that ms-swift trains embeddings and rerankers on: messages, with those of positives and negatives.

`messages` holds the anchor, `positive_messages` and `negative_messages` a list of messages for each text; negatives best first, each
text once.

- `embedding`: one row a pair, since of several positives the trainer encodes the first alone; every text is what a `user` says,
  so that anchor and passages are encoded alike.
- `reranker`: one row an anchor, with all its positives; a passage is what the `assistant` answers, since it is put behind the anchor.

ms-swift takes no scores for either, and removes every column that it does not know: ids and lineage lie row for row in a `provenance`
table beside the file. An anchor without negatives has no row; from too few, INFONCE_HARD_NEGATIVES draws again.
Source: ms-swift 4.6.0, `RowPreprocessor`, `TemplateInputs`, `Template._embedding_encode` and `_reranker_encode`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge.contract import Declares, Exported
from negforge.layouts import lists, sides
from negforge.records import Negatives

DECLARES = Declares(version=1, scope="anchor", reads=Negatives, formats=("jsonl",))


def export(
    batch: Negatives,
    *,
    language: str,  # noqa: ARG001 - of the texts, for which the runner leaves out negatives that are right
    task: Annotated[
        Literal["embedding", "reranker"], Field(description="What is trained: a row is a pair (`embedding`) or an anchor (`reranker`).")
    ] = "embedding",
    n: Annotated[int | None, Field(ge=1, description="The most negatives of an anchor; default all.")] = None,
    prompt: Annotated[str | None, Field(description="An instruction to write as the system's message before the anchor.")] = None,
) -> Exported:
    """Rows of messages, positive_messages and negative_messages.

    batch: whole anchors. Texts beyond n are dropped as `beyond-n`.
    """
    found = sides(batch, title="export ms-swift", n=n)
    said = pl.concat_list(_message("user" if task == "embedding" else "assistant", pl.col("text"))).alias("messages")
    lines, provenance = lists(found, said)
    if task == "embedding":
        one = found.positives.with_columns(said).group_by("anchor_id", "place", maintain_order=True)
        pairs = one.agg(pl.col("messages").alias("positive_messages"), pl.col("source_id").first())
        lines = lines.drop("positive_messages").join(pairs, on="anchor_id", maintain_order="left_right")
        provenance = lines.select("anchor_id", "source_id", "ids", "operator", "ranks")
    system = [_message("system", pl.lit(prompt))] if prompt is not None else []
    asked = pl.concat_list(*system, _message("user", pl.col("anchor")))
    rows = lines.select(asked.alias("messages"), "positive_messages", pl.col("messages").alias("negative_messages"))
    return Exported(rows, provenance, found.lost)


def _message(role: str, content: pl.Expr) -> pl.Expr:
    return pl.struct(pl.lit(role).alias("role"), content.alias("content"))

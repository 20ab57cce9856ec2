"""Tables of negatives that layouts are tried on, and what an anchor holds in each layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from negforge.api import Result
from tests.verify.test_known_positive import negative

HOSTILE = [
    'quote " and \\ back',
    "line\nbreak\r\n\u2028and\u2029more",
    "nul \x00 bell \x07 escape \x1b[31m",
    "</script><!-- {rows} {corpus} %s",
    "e\u0301 \U0001f469\u200d\U0001f680 \u05d0\u05d1 \u202egnp",
    "[1, 2], {}",
    "NaN",
]


def row(anchor: str, text: str, *, source: str = "s", positive: str = "the positive", draw: int = 0, **more: Any) -> dict[str, Any]:
    """A row of negatives, its id made of where it stands."""
    made = negative(text, anchor=anchor, row=f"{anchor}/{source}/{draw}/{more.get('operator', '')}")
    return {**made, "source_id": source, "positive": positive, "draw": draw, **more}


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    """The rows as a table."""
    texts = (
        {"negative_id": pl.String, "positive_id": pl.String} if any("positive_id" in one for one in rows) else {"negative_id": pl.String}
    )
    return pl.DataFrame(rows, schema_overrides=texts, infer_schema_length=None)


def scored() -> pl.DataFrame:
    """An anchor with two positives and three texts, each a row for either, with ids and scores; one with a single row of neither id."""
    rows = [
        row(
            "a",
            f"text {draw}",
            source=source,
            positive=f"positive {source}",
            draw=draw,
            negative_id=f"n{draw}",
            positive_id=f"p-{source}",
            rank=draw + 4,
            score_x=draw / 8,
            score_x_positive=0.5 if source == "s1" else 0.75,
        )
        for source in ("s2", "s1")
        for draw in (2, 0, 1)
    ]
    rows.append(row("b", "lonely", source="s3", positive="positive s3", positive_id=None, rank=None, score_x=1.0, score_x_positive=2.0))
    return table(*rows)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON, whether it is lines, an array or an object that has them as `data`."""
    written = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in written.split("\n") if line]
    whole: Any = json.loads(written)
    rows: list[dict[str, Any]] = whole["data"] if isinstance(whole, dict) else whole
    return rows


Held = dict[str, tuple[list[str], list[str]]]


def _passages(made: Result) -> Held:
    def texts(row: dict[str, Any], side: str) -> list[str]:
        return [one["text"] for one in row[f"{side}_passages"]]

    return {row["query"]: (texts(row, "positive"), texts(row, "negative")) for row in made.kept.to_dicts()}


def _documents(made: Result) -> Held:
    named = dict(made.asides["corpus"].select("docid", "text").rows())
    assert len(named) == made.asides["corpus"].height

    def texts(row: dict[str, Any], side: str) -> list[str]:
        return [named[one] for one in row[f"{side}_document_ids"]]

    return {row["query_text"]: (texts(row, "positive"), texts(row, "negative")) for row in made.kept.to_dicts()}


def _messages(made: Result) -> Held:
    def texts(row: dict[str, Any], side: str) -> list[str]:
        return [one["content"] for (one,) in row[f"{side}_messages"]]

    return {row["messages"][-1]["content"]: (texts(row, "positive"), texts(row, "negative")) for row in made.kept.to_dicts()}


def _contexts(made: Result) -> Held:
    def texts(ctxs: list[dict[str, Any]]) -> list[str]:
        return [one["text"] for one in ctxs]

    return {
        row["question"]: (texts(row["positive_ctxs"]), texts(row["negative_ctxs"] + row["hard_negative_ctxs"]))
        for row in made.kept.to_dicts()
    }


def _inline(made: Result) -> Held:
    def texts(row: dict[str, Any], side: str) -> list[str]:
        return [one["text"] for one in row[f"{side}_doc"]]

    return {row["question"]: (texts(row, "pos"), texts(row, "neg")) for row in made.kept.to_dicts()}


def _corpus(made: Result) -> Held:
    named = dict(made.asides["corpus"].select("id", "text").rows())

    def texts(row: dict[str, Any], side: str) -> list[str]:
        return [named[one["id"]] for one in row[f"{side}_doc"]]

    return {row["question"]: (texts(row, "pos"), texts(row, "neg")) for row in made.kept.to_dicts()}


LAYOUTS: dict[str, tuple[str, dict[str, Any], Callable[[Result], Held]]] = {
    "tevatron-passages": ("export tevatron", {}, _passages),
    "tevatron-ids": ("export tevatron", {"layout": "ids"}, _documents),
    "dpr": ("export dpr", {}, _contexts),
    "automodel-inline": ("export automodel", {}, _inline),
    "automodel-corpus": ("export automodel", {"layout": "corpus"}, _corpus),
    "ms-swift": ("export ms-swift", {"task": "reranker"}, _messages),
}
"""Of each layout its exporter, its options, and how to read what an anchor holds: its positives and its negatives."""

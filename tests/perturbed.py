"""What the tests of text operators share: tables of texts, texts that break things, and the same rows in any batching."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

import negforge
from negforge.contract import Chosen
from negforge.records import Pairs
from negforge.rng import Rng

LONG = "The quick brown fox jumps over the lazy dog near the river bank. " * 16_000  # 1 MB
ODD = (
    "\U0001f600 \U0001f469\u200d\U0001f469\u200d\U0001f467 smile and smile \U0001f600",
    "e\u0301te\u0301 naïve cafe\u0301 o\u0308ffnet",
    "\u202eright to left\u202c \u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd \u05d8\u05d5\u05d1",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0627\u0644\u062c\u0645\u064a\u0644",
    "control \x01\x1f\x7f and \u2028 separators \u0085 here",
    "nul \0 inside of it",
    "carriage\r\nreturn\rs and\ttabs",
    "Where does the river end?",
    "THE RIVER AND ITS BANKS",
    "日本語の文章を比べるのは難しい。",
    "我们昨天在公园里看见很多小狗。",
    "การเปรียบเทียบข้อความ",
    "हिन्दी में लिखा हुआ वाक्य",
    "한국어 문장 하나를 씁니다",
    "...",
    "x",
    "-5",
    "a a a a a a",
    "\u0301\u0301",
)


def table(texts: Sequence[str], anchors: Sequence[str] | None = None, **columns: Sequence[Any]) -> pl.DataFrame:
    """Pairs of these positives; each anchor is a question of its own unless given."""
    given = [f"What is said in text {place}?" for place in range(len(texts))] if anchors is None else list(anchors)
    ids = [f"row {place}" for place in range(len(texts))]
    frame = pl.DataFrame({"id": ids, "anchor_id": ids, "anchor": given, "positive": list(texts)}, schema=dict.fromkeys(_NAMES, pl.String))
    return frame.with_columns(pl.Series(name, list(values)) for name, values in columns.items())


_NAMES = ("id", "anchor_id", "anchor", "positive")


def rows(title: str, texts: Sequence[str], **options: Any) -> list[dict[str, Any]]:
    """The kept rows of these texts, in their order."""
    return sorted(
        negforge.run(title, table(texts), workers=1, **options).kept.to_dicts(),
        key=lambda one: (len(one["source_id"]), one["source_id"], one["draw"]),
    )


def reasons(title: str, texts: Sequence[str], **options: Any) -> list[str]:
    """Why each text that gave nothing did so."""
    lost = negforge.run(title, table(texts), workers=1, **options).dropped
    found = dict(zip(lost["source_id"], lost["drop_reason"], strict=True))
    return [found.get(f"row {place}", "") for place in range(len(texts))]


def made(generate: Callable[..., Chosen], texts: Sequence[str], *, seed: int = 0, num_negatives: int = 1, **options: Any) -> Chosen:
    """What an operator answers for these texts, unverified."""
    return asked(generate, table(texts), seed, num_negatives, options)


def asked(generate: Callable[..., Chosen], frame: pl.DataFrame, seed: int, num_negatives: int, options: dict[str, Any]) -> Chosen:
    """What an operator answers for a table, unverified."""
    return generate(Pairs(frame), Rng(seed, "generate test"), num_negatives=num_negatives, **options)


def same_in_any_batching(generate: Callable[..., Chosen], texts: Sequence[str], *, num_negatives: int = 3, **options: Any) -> None:
    """Batches of one, and another order, give the same rows and refusals as all at once; fewer slots give the first of more."""
    frame = table(texts)
    whole = asked(generate, frame, 5, num_negatives, options)
    order = frame["id"].to_list()
    parts = [asked(generate, frame.filter(pl.col("id") == row), 5, num_negatives, options) for row in order]
    backward = asked(generate, frame.reverse(), 5, num_negatives, options)
    few = asked(generate, frame, 5, 1, options)
    empty = asked(generate, frame.clear(), 5, num_negatives, options)
    assert pl.concat([empty.rows, *(part.rows for part in parts)]).equals(whole.rows)
    assert [one for part in parts for one in part.refusals] == list(whole.refusals)
    places = {row: place for place, row in enumerate(order)}
    assert backward.rows.sort(pl.col("id").replace_strict(places, return_dtype=pl.Int64), maintain_order=True).equals(whole.rows)
    assert sorted(backward.refusals) == sorted(whole.refusals)
    assert few.rows.equals(whole.rows.unique("id", keep="first", maintain_order=True))
    assert {*whole.rows["id"]} | {one.row_id for one in whole.refusals} == {*order}
    assert whole.rows.select("id", "negative").is_unique().all()

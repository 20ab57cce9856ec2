"""The nearest wrong class: which it is, by hand; suspect labels; who has no class; and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.errors import InputError

TEXTS = {"x1": 0, "x2": 10, "x3": 20, "y1": 62, "y2": 70, "y3": 78, "z1": 120, "z2": 130, "n1": 40}
CORPUS = pl.DataFrame({"id": [*TEXTS], "text": [f"T {one}" for one in TEXTS], "group": [None if one == "n1" else one[0] for one in TEXTS]})


def circle(degrees: dict[str, Any], path: Path) -> str:
    """Vectors on a circle, by id."""
    turned = [[float(np.cos(np.radians(one))), float(np.sin(np.radians(one)))] for one in degrees.values()]
    pl.DataFrame({"id": list(degrees), "vector": turned}).write_parquet(path)
    return str(path)


def mine(anchors: dict[str, tuple[int, str | None, str]], folder: Path, corpus: pl.DataFrame = CORPUS, **options: Any) -> Any:
    """A run over anchors, each with its angle, the class it is said to be of, and its positive."""
    rows = [
        {"id": one, "anchor_id": one, "anchor": f"Q {one}", "positive": f"T {text}", "positive_id": text, "group": group}
        for one, (_, group, text) in anchors.items()
    ]
    pairs = pl.DataFrame(rows, schema_overrides={"group": pl.String})
    where = {
        "anchor_vectors": circle({one: angle for one, (angle, _, _) in anchors.items()}, folder / "a.parquet"),
        "corpus_vectors": circle(TEXTS, folder / "c.parquet"),
    }
    return negforge.run("generate mine.nearest-class", pairs, corpus=corpus, **where, **options)


def away(angle: float, *members: str) -> float:
    """How far an angle is from the mean of some texts."""
    points = [np.array([np.cos(np.radians(one)), np.sin(np.radians(one))]) for one in (angle, *(TEXTS[name] for name in members))]
    return float(np.linalg.norm(points[0] - np.mean(points[1:], axis=0)))


X, Y, Z = (tuple(one for one in TEXTS if one[0] == name) for name in "xyz")


def test_the_nearest_wrong_mean_and_its_nearest_texts(tmp_path: Path) -> None:
    """Worked by hand on a circle: y is nearest to an x at 15 degrees, and to a z at 110."""
    made = mine({"a": (15, "x", "x1"), "b": (110, "z", "z1")}, tmp_path, num_negatives=3).kept
    first = made.filter(pl.col("anchor_id") == "a").sort("rank")
    assert first["negative_id"].to_list() == ["y1", "y2", "y3"]
    assert first["rank"].to_list() == [1, 2, 3]
    assert first["negative_group"].unique().to_list() == ["y"]
    assert first["distance_class"].to_numpy() == pytest.approx(away(15, *Y), abs=1e-5)
    assert first["class_margin"].to_numpy() == pytest.approx(away(15, *Y) - away(15, *X), abs=1e-5)
    assert first["score_dense"].to_numpy() == pytest.approx(np.cos(np.radians([47, 55, 63])), abs=1e-6)
    assert made.filter(pl.col("anchor_id") == "b").sort("rank")["negative_id"].to_list() == ["y3", "y2", "y1"]


def test_several_classes_give_their_texts_together(tmp_path: Path) -> None:
    """The nearest of two classes' texts, whichever class they are of; a text without a class is of none."""
    made = mine({"a": (80, "x", "x1")}, tmp_path, num_negatives=4, classes=2, keep_suspects=True).kept.sort("rank")
    assert made["negative_id"].to_list() == ["y3", "y2", "y1", "z1"]
    assert made["negative_group"].to_list() == ["y", "y", "y", "z"]


def test_an_anchor_nearer_to_a_wrong_mean_is_suspect(tmp_path: Path) -> None:
    """At 68 degrees it is a y whatever its label says: refused with its margin, or kept where that is wanted."""
    anchors: dict[str, tuple[int, str | None, str]] = {"a": (68, "x", "x1"), "b": (20, "x", "x1")}
    made = mine(anchors, tmp_path)
    assert made.dropped.select("anchor_id", "drop_reason").rows() == [("a", "suspect-label")]
    margin = away(68, *Y) - away(68, *X)
    assert margin < 0
    assert float(made.dropped["drop_value"][0]) == pytest.approx(margin, abs=1e-5)
    kept = mine(anchors, tmp_path, keep_suspects=True).kept
    assert kept.filter(pl.col("anchor_id") == "a")["class_margin"].to_numpy() == pytest.approx(margin, abs=1e-5)


def test_an_anchor_of_two_classes_is_taken_for_neither(tmp_path: Path) -> None:
    """Its pairs name x and y: the wrong class is z, and its margin is to the nearer of its own."""
    pairs = pl.DataFrame(
        {"anchor_id": ["a", "a"], "anchor": ["Q", "Q"], "positive": ["T x1", "T y1"], "positive_id": ["x1", "y1"], "group": ["x", "y"]}
    )
    where = {"anchor_vectors": circle({"a": 60}, tmp_path / "a.parquet"), "corpus_vectors": circle(TEXTS, tmp_path / "c.parquet")}
    made = negforge.run("generate mine.nearest-class", pairs, corpus=CORPUS, **where, num_negatives=2).kept
    assert {*made["negative_id"]} == {"z1", "z2"}
    assert made.height == 4
    assert made["class_margin"].to_numpy() == pytest.approx(away(60, *Z) - away(60, *Y), abs=1e-5)


def test_who_has_no_class(tmp_path: Path) -> None:
    """The positive's class stands in for the pair's; each of the rest has its reason."""
    anchors: dict[str, tuple[int, str | None, str]] = {
        "a": (5, None, "x1"),
        "b": (5, None, "n1"),
        "c": (5, "w", "x1"),
        "d": (5, None, "x9"),
    }
    made = mine(anchors, tmp_path)
    assert made.kept["anchor_id"].to_list() == ["a"]
    assert made.kept["negative_group"].to_list() == ["y"]
    assert made.dropped.sort("anchor_id").select("anchor_id", "drop_reason").rows() == [
        ("b", "no-group"),
        ("c", "group-not-in-corpus"),
        ("d", "no-group"),
    ]
    alone = mine({"a": (5, "x", "x1")}, tmp_path, CORPUS.filter(pl.col("group") == "x"))
    assert alone.dropped["drop_reason"].to_list() == ["only-class"]


def test_a_corpus_without_groups_is_refused(tmp_path: Path) -> None:
    """It says how to get them."""
    with pytest.raises(InputError, match="column 'group' is not in the corpus") as error:
        mine({"a": (5, "x", "x1")}, tmp_path, CORPUS.drop("group"))
    assert "--group" in str(error.value)


def test_command_line(tmp_path: Path, model: str, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """Classes by number are classes by name; rows on stdout, counts on stderr."""
    pairs.write_parquet(tmp_path / "p.parquet")
    corpus.with_columns((pl.int_range(pl.len()) // 8).alias("group")).write_parquet(tmp_path / "c.parquet")
    line = ["generate", "mine.nearest-class", str(tmp_path / "p.parquet"), "--corpus", str(tmp_path / "c.parquet"), "--model", model]
    result = CliRunner().invoke(app, [*line, "--keep-suspects", "--to", "jsonl", "--limit", "5"])
    assert result.exit_code == 0, result.stderr
    assert "asked 5, emitted 5" in result.stderr
    assert '"class_margin"' in result.stdout

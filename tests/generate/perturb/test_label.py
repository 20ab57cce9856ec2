"""Labels put at random and permuted: the share, the classes, what is never a negative."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.errors import InputError
from negforge.generate.perturb.label import generate, prepare
from negforge.records import Pairs
from negforge.rng import Rng

TITLE = "generate perturb.label"


def table(size: int, classes: str = "abc", **more: Any) -> pl.DataFrame:
    """Texts with a class each, in turn."""
    labels = [classes[place % len(classes)] for place in range(size)]
    return pl.DataFrame(
        {"id": [f"r{place:04d}" for place in range(size)], "anchor": [f"text {place}" for place in range(size)], "positive": labels, **more}
    )


def run(frame: pl.DataFrame, **options: Any) -> negforge.Result:
    """The rows with another label."""
    return negforge.run(TITLE, frame, workers=1, **options)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 0.999, 1.0])
def test_the_share_is_met_within_one_row(share: float) -> None:
    """Of 101 rows the share, rounded, gets another class; the rest is refused as not drawn."""
    result = run(table(101), share=share)
    assert result.kept.height == round(share * 101)
    assert set(result.dropped["drop_reason"]) <= {"not-drawn"}
    assert all(one["negative"] == one["label_noisy"] != one["positive"] and one["rho"] == share for one in result.kept.to_dicts())


def test_every_other_class_comes_up() -> None:
    """With several negatives a row all its other classes come, each once; over rows each is about as likely."""
    result = run(table(30), num_negatives=5)
    assert {frozenset(one) for one in result.kept.group_by("source_id").agg("negative")["negative"]} == {
        frozenset("ab"),
        frozenset("ac"),
        frozenset("bc"),
    }
    one = run(table(300), num_negatives=1).kept
    shares = one.group_by("positive", "negative").len()["len"]
    assert len(shares) == 6
    assert shares.min() > 25  # type: ignore[operator]


def test_a_permutation_is_one_map_and_never_the_identity() -> None:
    """Every row of a class gets the same other class, by a permutation that is written beside it."""
    for seed in range(20):
        result = run(table(12, "ab"), how="permutation", seed=seed)
        assert set(result.kept.select("positive", "negative").rows()) == {("a", "b"), ("b", "a")}
    seen = set()
    for seed in range(30):
        result = run(table(12, "abcd"), how="permutation", seed=seed)
        images = result.kept["task_perm"].to_list()
        assert all(one == images[0] and sorted(one) == [*"abcd"] != one for one in images)
        assert all(one["negative"] == images[0]["abcd".index(one["positive"])] for one in result.kept.to_dicts())
        fixed = {label for label, image in zip("abcd", images[0], strict=True) if label == image}
        assert result.dropped.height == 3 * len(fixed)
        assert set(result.dropped["drop_reason"]) <= {"unchanged"}
        seen.add(tuple(images[0]))
    assert len(seen) > 5


def test_each_task_has_a_permutation_of_its_own() -> None:
    """`--task` names the column; labels of one task never come into another."""
    frame = pl.concat([table(9, "abc", job="x"), table(9, "defg", job="y").with_columns(("y" + pl.col("id")).alias("id"))])
    kept = run(frame, how="permutation", task="job").kept
    assert all(({*one["task_perm"]} == {*"abc"}) is (one["job"] == "x") for one in kept.to_dicts())
    kept = run(frame, task="job").kept
    assert all((one["negative"] in "abc") is (one["job"] == "x") for one in kept.to_dicts())


def test_another_class_of_the_anchor_is_no_negative() -> None:
    """A text of two classes gets only the third; where there is none, it is refused."""
    frame = pl.DataFrame({"anchor": ["t", "t", "u"], "positive": ["x", "y", "z"], "group": ["a", "b", "c"]})
    kept = run(frame, classes="group", num_negatives=5).kept
    assert set(kept.select("anchor", "negative").rows()) == {("t", "c"), ("u", "a"), ("u", "b")}
    two = run(frame.head(2), classes="group")
    assert two.dropped["drop_reason"].to_list() == ["other-class"] * 2


@pytest.mark.parametrize(
    ("reason", "frame"),
    [
        ("no-class", pl.DataFrame({"anchor": ["t", "u", "v"], "positive": ["x"] * 3, "group": [None, "a", "b"]})),
        ("one-class", pl.DataFrame({"anchor": ["t", "u"], "positive": ["x"] * 2, "group": ["a", "a"]})),
    ],
)
def test_a_row_is_refused_for_a_reason(reason: str, frame: pl.DataFrame) -> None:
    """Without a class, or with no other, there is nothing to put."""
    assert reason in run(frame, classes="group").dropped["drop_reason"].to_list()


def test_columns_that_are_no_labels_are_told() -> None:
    """An absent column, a list, too many classes, and a column in the way."""
    with pytest.raises(InputError, match="kind"):
        run(table(3), classes="kind")
    with pytest.raises(InputError, match="holds no labels"):
        run(table(3, kind=[[1], [2], [3]]), classes="kind")
    with pytest.raises(InputError, match="more than 10,000 classes"):
        run(table(10_001, kind=[str(place) for place in range(10_001)]), classes="kind")
    with pytest.raises(InputError, match="'rho' is in the way"):
        run(table(3, rho=[1, 2, 3]))


def test_many_classes_are_drawn_from() -> None:
    """Above 64 classes some are drawn: no row twice the same, and none its own."""
    frame = table(500, "".join(chr(0x4E00 + place) for place in range(200)))
    kept = run(frame, num_negatives=3).kept
    assert kept.height == 1500
    assert kept.select("source_id", "negative").is_unique().all()
    assert (kept["negative"] != kept["positive"]).all()


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from(["a", "b", "\U0001f600", "e\u0301", "\u05d0", "\x00", "x" * 5000]), min_size=2, max_size=12),
    st.integers(0, 5),
    st.floats(0, 1),
    st.randoms(use_true_random=False),
)
def test_rows_do_not_depend_on_batches_or_order(tmp_path_factory: Any, labels: list[str], seed: int, share: float, random: Any) -> None:
    """The same rows are drawn, and get the same class, whatever the order and the pieces."""
    frame = pl.DataFrame(
        {"id": [str(place) for place in range(len(labels))], "anchor_id": [str(place) for place in range(len(labels))], "positive": labels}
    )

    def answer(rows: pl.DataFrame, size: int) -> list[tuple[Any, ...]]:
        def pieces(_: int) -> Iterator[pl.DataFrame]:
            return rows.iter_slices(size)

        state = prepare(pieces, tmp_path_factory.mktemp("label"), seed=seed, share=share)
        made = [generate(Pairs(one), state, Rng(seed, TITLE), seed=seed, share=share) for one in rows.iter_slices(size)]
        return sorted(row for one in made for row in one.rows.select("id", "negative").rows())

    order = list(range(len(labels)))
    random.shuffle(order)
    found = answer(frame, len(labels))
    assert found == answer(frame[order], 1)
    assert len(found) in (0, round(share * len(labels)))


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr."""
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in table(10).to_dicts()))
    result = CliRunner().invoke(app, ["generate", "perturb.label", str(file), "--share", "0.5", "--to", "jsonl"])
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 5)
    assert "not-drawn 5" in result.stderr


def test_real_claims(real_data: Path) -> None:
    """CREAK's claims, true or false: a fifth of the labels is turned over."""
    path = real_data / "creak"
    files = sorted(path.glob("*.json*")) if path.is_dir() else []
    if not files:
        pytest.skip(f"{path} is not there; set NEGFORGE_TEST_DATA")
    data = files[0].read_bytes()
    text = gzip.decompress(data) if files[0].suffix == ".gz" else data
    found = [json.loads(line) for line in text.splitlines()]
    frame = pl.DataFrame(
        {"id": [one["ex_id"] for one in found], "anchor": [one["sentence"] for one in found], "positive": [one["label"] for one in found]}
    )
    kept = run(frame, share=0.2).kept
    assert kept.height == round(0.2 * len(found))
    assert set(kept.select("positive", "negative").rows()) == {("true", "false"), ("false", "true")}

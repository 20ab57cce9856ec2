"""The more slots of a text are replaced, the lower its grade."""

from __future__ import annotations

import itertools
import json
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
from negforge.generate.perturb.graded import State, generate
from negforge.records import Pairs
from negforge.rng import Rng

TITLE = "generate perturb.graded"
TEXT = "Ada Bell sold 24 boats to Tom Reed in Norway in 1911."
POOL = ["They met Joe Hart in Spain.", "They met Karl Dahl in Peru.", "They met Roy Roe in Chad.", "They met Ann Lee in Oman."]


def run(*texts: str, beside: list[str] | None = None, **options: Any) -> negforge.Result:
    """What texts give, beside the pool's."""
    every = [*texts, *(POOL if beside is None else beside)]
    frame = pl.DataFrame({"id": [f"r{place:03d}" for place in range(len(every))], "anchor": every, "positive": every})
    return negforge.run(TITLE, frame, workers=1, **options)


def rows(text: str, **options: Any) -> list[dict[str, Any]]:
    """The rows of one text, in the order of draws."""
    return run(text, **options).kept.filter(pl.col("source_id") == "r000").sort("draw").to_dicts()


def undone(row: dict[str, Any]) -> tuple[str, str]:
    """The negative that the edits make of the positive, and the positive that undoing them makes of the negative."""
    made, back, moved = row["positive"], row["negative"], 0
    for one in reversed(row["edits"]):
        assert made[one["start"] : one["end"]] == one["old"]
        made = made[: one["start"]] + one["new"] + made[one["end"] :]
    for one in row["edits"]:
        start = one["start"]
        assert back[start : start + len(one["new"])] == one["new"]
        back = back[:start] + one["old"] + back[start + len(one["new"]) :]
        moved += 1
    assert moved == row["n_corrupted"]
    return made, back


def test_a_grade_falls_with_every_slot() -> None:
    """Five slots: from one replaced, grade 4, to all, grade 1; each row holds the edits of the one before."""
    made = rows(TEXT, num_negatives=5)
    assert [one["n_corrupted"] for one in made] == [1, 2, 3, 4, 5]
    assert {one["n_slots"] for one in made} == {5}
    assert [one["grade"] for one in made] == [4, 3, 2, 1, 1]
    for one in made:
        assert undone(one) == (one["negative"], TEXT)
    for near, far in itertools.pairwise(made):
        assert [edit for edit in near["edits"] if edit not in far["edits"]] == []


def test_the_farthest_may_come_first() -> None:
    """With `--first far` one negative a row is the one with all slots replaced."""
    made = rows(TEXT, num_negatives=3, first="far")
    assert [one["n_corrupted"] for one in made] == [5, 4, 3]


def test_two_runs_through_the_slots_differ() -> None:
    """Beyond the last slot they are gone through again, with other values and another slot alone."""
    made = rows(TEXT, num_negatives=10)
    assert len({one["negative"] for one in made}) == len(made) == 10
    assert made[0]["edits"][0]["start"] != made[5]["edits"][0]["start"]
    assert [one["negative"] for one in rows(TEXT, num_negatives=3)] == [one["negative"] for one in made[:3]]


def test_only_a_text_without_any_of_its_slots_is_a_negative() -> None:
    """Another name or year alone may be right too; with all replaced the text speaks of other things."""
    for seed in range(8):
        for one in rows(TEXT, num_negatives=5, seed=seed):
            assert one["label"] == ("negative" if one["n_corrupted"] == 5 else "unknown")
            assert one["opposition"] == "unrelated"
    assert {one["label"] for one in rows(TEXT[:-1] + " on page 5.", num_negatives=5)} == {"unknown"}
    # Nor is one that still speaks of the same.
    assert {one["label"] for one in rows("He sold 24 boats to Tom Reed in Norway in 1911.", num_negatives=4)} == {"unknown"}
    assert {one["label"] for one in rows(TEXT + " He left for Spain.", num_negatives=6)} == {"unknown"}


@pytest.mark.parametrize(
    "number",
    [
        "an Oscar",
        "Louisa May Bell",
        "Good Friday",
        "the 1890's",
        "Deep Space Nine",
        "the Three Stooges",
        "page 5",
        "Boeing 747",
        "the 1948 Olympics",
        "over 30",
    ],
)
def test_what_is_part_of_a_name_is_no_slot(number: str) -> None:
    """Nor is a decade, a label, a bound, a prize with a first name, or a weekday in a name."""
    for one in rows(f"He sold 24 boats in Norway then, as told of {number}.", num_negatives=9):
        assert number in one["negative"]


def test_values_are_of_the_slots_type() -> None:
    """A country becomes a country, a name a name of as many words, a year another year."""
    olds = {"Norway": set(), "Ada Bell": set(), "1911": set()}  # type: dict[str, set[str]]
    for seed in range(12):
        for edit in rows(TEXT, num_negatives=5, seed=seed)[-1]["edits"]:
            if edit["old"] in olds:
                olds[edit["old"]].add(edit["new"])
    assert olds["Ada Bell"] <= {"Joe Hart", "Karl Dahl", "Roy Roe", "Ann Lee", "Tom Reed"}
    assert len(olds["Norway"]) > 3
    assert all(one.isdigit() and abs(int(one) - 1911) >= 2 for one in olds["1911"])
    assert not any(one in TEXT for values in olds.values() for one in values)


def test_names_keep_their_type() -> None:
    """A city becomes a city, never a person or a title; a name whose type is not known stays, and the row is no negative then."""
    more = ["Zoe saw Berlin.", "He read 'The Long Way' in Oslo.", "They sang for Quorxia in Madrid.", "Bob fled to the River Thames."]
    for seed in range(12):
        for one in rows("They met Zelborg in Paris in 1911 with Ann, 24 boats and more.", num_negatives=4, seed=seed, beside=more):
            put = {edit["old"]: edit["new"] for edit in one["edits"]}
            assert put.get("Paris", "Oslo") in {"Berlin", "Oslo", "Madrid"}
            assert put.get("Ann", "Bob") in {"Zoe", "Bob"}
            assert "Zelborg" in one["negative"]
            assert one["label"] == "unknown"


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("no-site", "It rained all day."),
        ("few-slots", "It rained in 1911."),
        ("few-slots", "It rained about 1911 on page 5."),
        ("question", "Did Ada Bell sell 24 boats?"),
        ("conditional", "If Ada Bell sold 24 boats, she is rich."),
        ("negated", "Ada Bell never sold 24 boats."),
        ("protected", "Ada Bell sold 24 boats."),
        ("too-long", "Ada Bell sold 24 boats. " * 2000),
    ],
)
def test_a_text_is_refused_for_a_reason(reason: str, text: str) -> None:
    """Texts of fewer than two slots, or that do not assert them."""
    dropped = run(text, protect="24" if reason == "protected" else "(?!)").dropped
    assert dropped.filter(pl.col("source_id") == "r000")["drop_reason"].to_list() == [reason]


def test_no_value_is_told() -> None:
    """Names for which the data has no other of as many words."""
    frame = pl.DataFrame({"id": ["1"], "anchor": ["x"], "positive": ["Then Ada Bell met Tom Reed there."]})
    assert negforge.run(TITLE, frame, workers=1).dropped["drop_reason"].to_list() == ["no-value"]


def test_a_column_in_the_way_is_told() -> None:
    """The source's own `grade` is not written over."""
    with pytest.raises(InputError, match="'grade' is in the way"):
        negforge.run(TITLE, pl.DataFrame({"id": ["1"], "anchor": ["x"], "positive": [TEXT], "grade": [5]}), workers=1)


PIECES = st.lists(
    st.sampled_from([*TEXT.split(), "\U0001f600", "e\u0301", "\u05d0\u05d1", "\x00", "'A Title'", "May 5, 1991", "three", ",", "\n"]),
    max_size=16,
)


@settings(max_examples=200)
@given(st.one_of(PIECES.map(" ".join), st.text()), st.integers(0, 9))
def test_any_text_keeps_the_laws(text: str, seed: int) -> None:
    """Grades never rise with edits, edits re-apply and undo, and a batch of two gives what two batches give."""
    state = State({"person 1": ("Zoe",), "person 2": ("Joe Hart", "Roy Roe"), "title": ("On Ice", "By Sea")})
    frame = pl.DataFrame({"id": ["1", "2"], "positive": [text, TEXT]})
    made = generate(Pairs(frame), state, Rng(seed, TITLE), num_negatives=4).rows
    alone = [generate(Pairs(frame[place : place + 1]), state, Rng(seed, TITLE), num_negatives=4).rows for place in (0, 1)]
    assert made.equals(pl.concat(alone))
    for one in made.filter(pl.col("id") == "1").to_dicts():
        assert undone({**one, "positive": text}) == (one["negative"], text)
        assert one["grade"] == 5 - -(-4 * one["n_corrupted"] // one["n_slots"])
        assert one["negative"] != text


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr."""
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps({"anchor": one, "positive": one}) + "\n" for one in ("It cost 40 crowns in 1911.", "It rained.")))
    result = CliRunner().invoke(app, ["generate", "perturb.graded", str(file), "--num-negatives", "2", "--to", "jsonl"])
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2)
    assert "no-site 2" in result.stderr


def test_real_claims(real_data: Path) -> None:
    """Among CREAK's claims a fair share has two slots, and every row keeps the laws."""
    path = real_data / "creak"
    files = sorted(path.glob("*.json*")) if path.is_dir() else []
    if not files:
        pytest.skip(f"{path} is not there; set NEGFORGE_TEST_DATA")
    texts = [one["sentence"] for one in pl.read_ndjson(files[0]).select("sentence").to_dicts()] if files[0].suffix != ".gz" else []
    if not texts:
        import gzip

        texts = [json.loads(line)["sentence"] for line in gzip.decompress(files[0].read_bytes()).splitlines()]
    kept = run(*texts, num_negatives=4).kept
    assert kept["source_id"].n_unique() > 0.05 * len(texts)
    for one in kept.to_dicts():
        assert undone(one) == (one["negative"], one["positive"])

"""Noise of every kind: how much, where, what it leaves alone, and that more of it goes farther."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

import negforge
from negforge import pieces
from negforge.errors import InputError, UsageError
from negforge.generate.perturb import noise
from tests import strategies
from tests.perturbed import LONG, ODD, reasons, rows, same_in_any_batching, table
from tests.shell import good

TITLE = "generate perturb.noise"
KINDS = ("shuffle", "repetition", "blank", "typo", "keyboard", "ocr", "homophone", "mixed")
TEXT = "a small brown mouse would often hear their songs while running over the garden wall towards some cheese"

LONGER = "several curious squirrels discovered hidden walnuts beneath ancient chestnut branches yesterday morning while moving quietly"


def only(kind: str, text: str = TEXT, level: float = 0.01, **options: Any) -> list[str]:
    """Noisy forms of a text by one kind, over rows."""
    return [row["negative"] for row in rows(TITLE, [text] * 40, kind=[kind], level=[level], **options)]


def words(text: str) -> list[str]:
    """The words of a text."""
    return [text[start:end] for start, end in pieces.words(text)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_least_noise_is_one_word(kind: str) -> None:
    """However low the level, one word is damaged, or two change places."""
    for text in only(kind):
        assert text != TEXT
        assert 1 <= Levenshtein.distance(words(text), words(TEXT)) <= (4 if kind == "shuffle" else 1)


def test_worked_cases() -> None:
    """What each kind does to a text that leaves it no choice of word; marks between words stand (makcedward/nlpaug#143, #171)."""
    assert {*only("blank", "Tom 5 runs")} == {"Tom 5 ___"}
    assert {*only("blank", "Tom 5 runs", mark="[MASK]")} == {"Tom 5 [MASK]"}
    assert {*only("repetition", "Tom 5 runs!")} == {"Tom 5 runs runs!"}
    assert {*only("shuffle", "runs, Tom: fast")} == {"fast, Tom: runs"}
    assert {*only("homophone", "Tom can hear 5")} == {"Tom can here 5"}
    assert {*only("ocr", "Tom burned")} <= {"Tom bumed", "Tom 6urned", "Tom biirned", "Tom burncd", "Tom burnecl"}
    for changed in only("typo", "Tom stands"):
        assert changed in (
            "Tom sands",
            "Tom stnds",
            "Tom stads",
            "Tom stans",
            "Tom sttands",
            "Tom staands",
            "Tom stannds",
            "Tom standds",
        ) or (sorted(changed) == sorted("Tom stands") and changed[:5] == "Tom s")
    for changed in only("keyboard", "Tom stands"):
        at = [place for place in range(10) if changed[place] != "Tom stands"[place]]
        assert len(at) == 1
        assert 4 < at[0] < 9
        assert changed[at[0]] in noise._TOUCHING["Tom stands"[at[0]]]
    assert {*only("repetition", "我们走")} <= {"我我们走", "我们们走", "我们走走"}
    assert {*only("typo", "我们走")} <= {"们我走", "们走", "我我们走", "我走们", "我走", "我们们走"}


def test_keys_touch_each_other() -> None:
    """A key touches those beside, above and below it, and is touched by them."""
    assert {*noise._TOUCHING["g"]} == {*"ftyhvb"}
    assert {*noise._TOUCHING["a"]} == {*"qwsz"}
    assert all(key in noise._TOUCHING[other] for key, others in noise._TOUCHING.items() for other in others)


def test_damage_by_level() -> None:
    """By hand: 0.25 of eight words are two; a tenth of them is one."""
    text = "many small brown mice often eat some cheese"
    made = {row["noise_level"]: row["noise_words"] for row in rows(TITLE, [text], kind=["blank"], level=[0.25, 0.1, 1.0], num_negatives=3)}
    assert made == {0.25: 2, 0.1: 1, 1.0: 8}


@settings(max_examples=100)
@given(st.one_of(strategies.texts, st.sampled_from(ODD)), st.sampled_from(KINDS), st.integers(0, 9))
@example("我们昨天在公园里看见很多小狗。", "typo", 0)
@example("我们昨天在公园里看见很多小狗。", "typo", 1)
@example("我们昨天在公园里看见很多小狗。", "mixed", 2)
def test_more_noise_goes_farther(text: str, kind: str, seed: int) -> None:
    """Level 0 is the text; a higher level damages what a lower one does, and more; a shuffle keeps the bag of words."""
    found = noise._found(text, None, spare=False)
    sites = [place for place in range(len(found)) if noise.fits(kind, found, place, "en")]  # type: ignore[arg-type]
    draws = pieces.Draws(negforge.rng.Rng(seed, TITLE), "1")
    changes = noise.changed(kind, found, sites, draws, len(found), "___")  # type: ignore[arg-type]
    assert changes(0) == []
    before: set[noise.Damage] = set()
    for size in range(len(sites) + 1):
        some = changes(size)
        noisy = pieces.spliced(text, [change for _, change in some])
        if kind == "shuffle":
            assert sorted(words(noisy)) == sorted(words(text)) or not text.isascii()
            continue
        assert before <= {*some}
        places = sorted(change[:2] for _, change in some)
        assert all(one[1] <= two[0] for one, two in pairwise(places)), "no change touches what another changes"
        before = {*some}
        for _, (start, end, new) in some:
            assert text[start:end] != new


def test_distance_grows_with_the_level() -> None:
    """On average over texts and seeds each level is farther from the source than the one below."""
    for kind in KINDS:
        if kind == "homophone":  # of which the texts have few
            continue
        levels = [0.05, 0.15, 0.3, 0.6]
        far: dict[float, list[int]] = {level: [] for level in levels}
        for row in rows(TITLE, [LONGER, LONGER + " and " + LONGER], kind=[kind], level=levels, num_negatives=4):
            far[row["noise_level"]].append(Levenshtein.distance(words(row["negative"]), words(row["positive"])))
        means = [sum(found) / len(found) for found in far.values() if found]
        assert means == sorted(means)
        assert len(means) > 2
        assert means[-1] > means[0] > 0


SPARED = "Berlin has 24 zoos, none unhappy; twenty-one USA flags aren't NATO's, IL-6 or half useless"


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_names_and_negations_are_left_alone(kind: str) -> None:
    """At full noise they stand as they did, unless that is asked for; then they are counted."""
    for row in rows(TITLE, [SPARED], kind=[kind], level=[1.0]):
        assert row["noise_protected"] == 0
        left = iter(words(row["negative"]))
        assert all(one in left for one in words(SPARED) if noise.matters(one))
    for row in rows(TITLE, [SPARED], kind=[kind], level=[1.0], spare=False):
        assert row["noise_protected"] > 0 or kind in ("homophone", "ocr")


def test_what_matters() -> None:
    """Numbers in digits and words, any capital, and negations of several languages."""
    assert all(
        map(noise.matters, "24 3.5 twenty-one half x more only Berlin iPhone USA not aren't nicht useless impossible 三 不 \u0664".split())
    )
    assert not any(map(noise.matters, "dog a runs often the \u0441\u043e\u0431\u0430\u043a\u0430 猫".split()))


def test_small_words_inside_a_name_are_left_alone() -> None:
    """Up to two small words between two capitals are part of the name; a longer way from one to the other is not."""
    assert {*only("blank", "Gone with the Wind was shown")} == {"Gone with the Wind ___ shown", "Gone with the Wind was ___"}
    assert len({*only("blank", "Tom of the old Wind")}) == 3


def test_protect() -> None:
    """A word that overlaps a match is spared, whatever else the pattern takes in (makcedward/nlpaug#296)."""
    assert {*only("blank", "cats see dogs", protect="cats s|dog")} == set()
    assert {*only("blank", "cats see dogs", protect="cats")} == {"cats ___ dogs", "cats see ___"}


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("Berlin 1945.", {}, "protected"),
        ("cats", {"protect": "a"}, "protected"),
        ("...", {}, "no-word"),
        ("these are short", {"kind": ["typo"]}, "no-word"),
        ("tall trees", {"kind": ["homophone"]}, "no-word"),
        ("I hear it", {"kind": ["homophone"], "language": "de"}, "no-word"),
        ("small dogs", {"level": [0.0]}, "unchanged"),
        ("la la la", {"kind": ["shuffle"]}, "unchanged"),
        ("one", {"kind": ["shuffle"], "spare": False}, "unchanged"),
    ],
)
def test_refusals(text: str, options: dict[str, Any], reason: str) -> None:
    """Each reason why a text gives nothing."""
    assert reasons(TITLE, [text], **options) == [reason]


def test_label_and_columns() -> None:
    """Noise is no negative by itself: the label is unknown, the opposition noisy."""
    row = rows(TITLE, [TEXT])[0]
    assert (row["label"], row["opposition"], row["evidence"]) == ("unknown", "noisy", ["noise"])
    assert row["noise_type"] in KINDS
    made = negforge.run(TITLE, table(["...", "x 5"])).dropped
    assert made["noise_type"].dtype == pl.String
    with pytest.raises(InputError) as error:
        negforge.run(TITLE, table([TEXT], noise_level=[1]))
    assert error.value.mend == "pass --rename noise_level=source_noise_level"


def test_draws_differ() -> None:
    """Distinct texts, kinds by turns first (amazon-science/recode#5, IBM/unitxt#1726)."""
    made = rows(TITLE, [TEXT], num_negatives=12)
    assert len({row["negative"] for row in made}) == 12
    assert len({row["noise_type"] for row in made[:6]}) == 6


def test_options_are_checked() -> None:
    """No kind, one twice, a level out of bounds."""
    faults: list[dict[str, Any]] = [
        {"kind": []},
        {"kind": ["typo", "typo"]},
        {"level": []},
        {"level": [0.1, 0.1]},
        {"level": [1.5]},
        {"mark": ""},
    ]
    for wrong in faults:
        with pytest.raises(UsageError):
            negforge.run(TITLE, table([TEXT]), **wrong)


@settings(max_examples=60)
@given(st.lists(st.one_of(strategies.texts, st.sampled_from(ODD)), max_size=5, unique=True))
def test_any_batching_gives_the_same(texts: list[str]) -> None:
    """Rows do not depend on their neighbours, whatever the texts hold (makcedward/nlpaug#6, QData/TextAttack#712)."""
    same_in_any_batching(noise.generate, texts, kind=list(KINDS), level=[0.1, 0.9])


def test_a_very_long_cell() -> None:
    """A megabyte of text takes seconds at most."""
    assert [row["noise_words"] for row in rows(TITLE, [LONG], kind=["mixed"], level=[0.01])] == [2080]


def test_the_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr; kinds and levels are repeatable."""
    table([TEXT, "1945"]).write_parquet(tmp_path / "p.parquet")
    done = good(
        "generate",
        "perturb.noise",
        tmp_path / "p.parquet",
        "--kind",
        "blank",
        "--level",
        "0.2",
        "--level",
        "0.4",
        "-n",
        "2",
        "--to",
        "jsonl",
    )
    assert [json.loads(line)["noise_level"] for line in done.out.splitlines()] == [0.2, 0.4]
    assert "asked 4, emitted 2" in done.err
    assert "protected 2" in done.err


def test_real_claims(real_data: Path) -> None:
    """Nearly every claim of CREAK takes noise, numbers and names in it stand, and hardly a mistyped word is another."""
    texts = [json.loads(line)["sentence"] for line in (real_data / "creak" / "dev.json").read_text(encoding="utf-8").splitlines()]
    made = negforge.run(TITLE, table(texts), level=[0.3])
    assert made.kept.height > 0.99 * len(texts)
    assert set(made.dropped["drop_reason"]) <= {"protected"}
    for row in made.kept.to_dicts():
        if row["noise_type"] != "ocr":
            assert re.findall("[0-9]+", row["negative"]) == re.findall("[0-9]+", row["positive"])
        assert re.findall("[A-Z]+", row["negative"]) == re.findall("[A-Z]+", row["positive"])

"""Words replaced, swapped and inserted, their labels, and the way back to the source."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.errors import UsageError
from negforge.generate.perturb.replace_tokens import INSERTED, ORIGINAL, REPLACED, SWAPPED, Token, corrupted, generate, written
from negforge.pieces import Draws, between, words
from negforge.rng import Rng
from tests import strategies
from tests.perturbed import LONG, ODD, made, reasons, rows, same_in_any_batching, table
from tests.shell import good

TITLE = "generate perturb.replace-tokens"
TEXT = "The river rises in the hills, and flows past a town to the sea."


def restored(row: dict[str, Any]) -> str:
    """The source, by the row alone: what was put in goes, with its blank, and each original stands where it stood."""
    text, parts, at = row["negative"], [], 0
    for token, start, label, original in zip(row["tokens"], row["token_starts"], row["token_labels"], row["token_originals"], strict=True):
        assert text[start : start + len(token)] == token
        parts += [text[at:start], original]
        at = start + len(token) + (len(between(token)) if label == INSERTED else 0)
    return "".join([*parts, text[at:]])


def test_a_worked_case() -> None:
    """Two words: each kind alone, at its full rate."""
    assert {(row["negative"], *row["token_labels"]) for row in rows(TITLE, ["It, rains!"] * 9, replaced=0, swapped=1, inserted=0)} == {
        ("rains, It!", SWAPPED, SWAPPED)
    }
    found = rows(TITLE, ["It, rains!"] * 40, replaced=0, swapped=0, inserted=1)
    assert {row["negative"] for row in found} == {f"{one} It, {two} rains!" for one in ("It", "rains") for two in ("It", "rains")}
    assert {tuple(row["token_labels"]) for row in found} == {(INSERTED, ORIGINAL, INSERTED, ORIGINAL)}
    found = rows(TITLE, ["It, rains!"] * 40, replaced=1, swapped=0, inserted=0)
    assert {(row["negative"], *row["token_labels"]) for row in found} == {
        ("It, It!", ORIGINAL, REPLACED),
        ("rains, It!", REPLACED, REPLACED),
        ("rains, rains!", REPLACED, ORIGINAL),
    }


def test_equal_words_that_change_places_are_originals() -> None:
    """What stands there is what stood there."""
    row = rows(TITLE, ["no no yes"], replaced=0, swapped=1, inserted=0)
    assert row == []
    assert reasons(TITLE, ["no no yes"], replaced=0, swapped=1, inserted=0) == ["unchanged"]
    spans = words("no no yes")
    found = corrupted("no no yes", spans, {0, 1, 2}, Draws(Rng(0, TITLE), "1"), lambda _: "x", 0, 1, 0)
    assert found == [Token("no", ORIGINAL, "no"), Token("no", ORIGINAL, "no"), Token("yes", ORIGINAL, "yes")]


def test_a_fill_equal_to_the_original_is_the_original() -> None:
    """A generator that is right in 30 % of cases leaves 70 % of the fills labelled replaced."""
    text = " ".join(f"w{place}" for place in range(20_000))
    spans = words(text)
    draws = Draws(Rng(0, TITLE), "1")
    chance = Draws(Rng(1, TITLE), "2")
    asked: list[int] = []

    def fill(place: int) -> str:
        asked.append(place)
        return text[slice(*spans[place])] if chance.chance(0.3) else "other"

    found = corrupted(text, spans, {*range(20_000)}, draws, fill, 0.15, 0, 0)
    labelled = sum(token.label == REPLACED for token in found)
    assert abs(len(asked) - 3000) < 5 * math.sqrt(20_000 * 0.15 * 0.85)
    assert abs(labelled - 0.7 * len(asked)) < 5 * math.sqrt(len(asked) * 0.7 * 0.3)
    assert all((token.label == REPLACED) == (token.text != token.original) for token in found)


def test_shares_follow_the_rates() -> None:
    """Over 208,000 words; a megabyte takes seconds at most."""
    row = rows(TITLE, [LONG], replaced=0.1, swapped=0.1, inserted=0.2)[0]
    count = len(row["tokens"])
    share = {label: row["token_labels"].count(label) / count for label in range(4)}
    assert share[INSERTED] == pytest.approx(0.2 * 0.91 / (1 + 0.2 * 0.91), abs=0.01)
    assert share[SWAPPED] == pytest.approx(2 * 0.1 / 1.1 / 1.182, abs=0.02)
    assert row["corrupted_share"] == pytest.approx(1 - share[ORIGINAL])
    assert restored(row) == LONG


@settings(max_examples=200)
@given(
    st.one_of(strategies.texts, st.sampled_from(ODD)),
    st.sampled_from([(0.15, 0.05, 0.05), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.5, 0.5)]),
    st.integers(0, 3),
)
def test_the_row_restores_its_source(text: str, shares: tuple[float, float, float], seed: int) -> None:
    """Whatever the text; a label above 0 is of a word that differs, or was put in."""
    replaced, swapped, inserted = shares
    options = {"replaced": replaced, "swapped": swapped, "inserted": inserted}
    for row in made(generate, [text], seed=seed, num_negatives=3, **options).rows.to_dicts():
        assert restored(row) == text
        assert row["negative"] != text
        originals = [one for one, label in zip(row["token_originals"], row["token_labels"], strict=True) if label != INSERTED]
        assert originals == [text[start:end] for start, end in words(text)]
        for token, label, original in zip(row["tokens"], row["token_labels"], row["token_originals"], strict=True):
            assert label == INSERTED or (label == ORIGINAL) == (token == original)
            assert {1: replaced, 2: swapped, 3: inserted}.get(label, 1) > 0
        assert row["corrupted_share"] > 0


def test_what_is_written_is_where_it_is_said_to_be() -> None:
    """By hand: an inserted word, then a replaced one."""
    tokens = [Token("big", INSERTED, ""), Token("cats", REPLACED, "dogs"), Token("我", ORIGINAL, "我")]
    assert written("(dogs) 我", words("(dogs) 我"), tokens) == ("(big cats) 我", [1, 5, 11])


def test_protect_and_labels() -> None:
    """Protected words stand; the row is an augmentation of unknown label."""
    for row in rows(TITLE, [TEXT], protect="river|sea", replaced=1, num_negatives=4):
        kept = [token for token, original in zip(row["tokens"], row["token_originals"], strict=True) if original in ("river", "sea")]
        assert kept == ["river", "sea"]
        assert (row["label"], row["opposition"], row["role"]) == ("unknown", "noisy", "augmentation")


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("...", {}, "no-word"),
        ("it rains", {"protect": "."}, "protected"),
        ("no", {"inserted": 0}, "unchanged"),
        ("it is", {"replaced": 0, "swapped": 0, "inserted": 0}, "unchanged"),
    ],
)
def test_refusals(text: str, options: dict[str, Any], reason: str) -> None:
    """Each reason why a text gives nothing."""
    assert reasons(TITLE, [text], **options) == [reason]


@settings(max_examples=60)
@given(st.lists(st.one_of(strategies.texts, st.sampled_from(ODD)), max_size=5, unique=True))
def test_any_batching_gives_the_same(texts: list[str]) -> None:
    """Rows do not depend on their neighbours, whatever the texts hold."""
    same_in_any_batching(generate, texts)


def test_faults() -> None:
    """Rates out of bounds."""
    faults: list[dict[str, Any]] = [{"replaced": 1.5}, {"swapped": -0.1}, {"inserted": 2}]
    for wrong in faults:
        with pytest.raises(UsageError):
            negforge.run(TITLE, table([TEXT]), **wrong)


def test_the_command_line(tmp_path: Path) -> None:
    """Lists go out as lists."""
    table([TEXT]).write_parquet(tmp_path / "p.parquet")
    done = good("generate", "perturb.replace-tokens", tmp_path / "p.parquet", "--to", "jsonl")
    row = json.loads(done.out)
    assert restored(row) == TEXT


def test_real_claims(real_data: Path) -> None:
    """Every claim of CREAK is corrupted, at about the share asked for, and comes back."""
    texts = [json.loads(line)["sentence"] for line in (real_data / "creak" / "dev.json").read_text(encoding="utf-8").splitlines()]
    found = negforge.run(TITLE, table(texts)).kept
    assert found.height == len(texts)
    assert all(restored(row) == row["positive"] for row in found.to_dicts())
    share = found["corrupted_share"].mean()
    assert isinstance(share, float)
    assert 0.2 < share < 0.4

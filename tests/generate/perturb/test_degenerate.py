"""Answers that fail in form: what each kind leaves out, repeats or copies, and where none is made."""

from __future__ import annotations

import json
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge import pieces
from negforge.errors import InputError, UsageError
from negforge.generate.perturb.degenerate import generate
from tests import strategies
from tests.perturbed import LONG, ODD, made, reasons, rows, same_in_any_batching, table
from tests.shell import good

TITLE = "generate perturb.degenerate"
KINDS = ("truncated", "looping", "copied", "empty")
TEXT = "The river rises in the hills of Wales and flows past Shrewsbury to the sea."


def words(text: str) -> list[str]:
    """The words of a text."""
    return [text[start:end] for start, end in pieces.words(text)]


def every(kind: str, text: str, **options: Any) -> set[str]:
    """What a text becomes by one kind, over rows."""
    return {row["negative"] for row in rows(TITLE, [text] * 40, kind=[kind], **options)}


def repeats(text: str) -> int:
    """How often the commonest run of three words comes in a text."""
    found = words(text)
    return max(Counter(zip(found, found[1:], found[2:], strict=False)).values(), default=0)


def test_a_truncated_answer_ends_on_a_word_that_nothing_ends_on() -> None:
    """Within the first three fifths of the first sentence: nine of fifteen words."""
    assert every("truncated", TEXT) == {
        "The river rises in the",
        "The river rises in the hills of",
        "The river rises in the hills of Wales and",
    }
    assert every("truncated", TEXT + " It is long.") == every("truncated", TEXT)


def test_without_such_a_word_it_ends_inside_a_bracket_or_a_word() -> None:
    """A stump is three letters at least, and lacks three at least."""
    assert every("truncated", "Dogs (big ones) bark loudly today") == {"Dogs (big", "Dogs (big ones"}
    stumps = ("bje", "bjef", "bjeff", "bjeffet høy", "bjeffet høyl")
    assert {*stumps} > {text.removeprefix("Hunder ") for text in every("truncated", "Hunder bjeffet høylytt hver eneste kveld")}
    assert every("truncated", "猫は魚を毎日たくさん食べる。") == {"猫は", "猫は魚を"}


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("Den Fluss speisen viele Bäche aus der Heide", "de", {"Den Fluss speisen viele Bäc", "Den Fluss spe", "Den Fluss spei"}),
        ("Hier fließt der große Fluss ins Meer hinaus", "de", {"Hier fließt der"}),
        ("La rivière est dans les collines du pays", "fr", {"La rivière est dans"}),
        ("Elven renner fra fjellet og ned til havet", "nb", {"Elven renner fra"}),
        ("They all die on the way to the sea", "en", {"They all die on the"}),
    ],
)
def test_the_language_says_what_ends_nothing(text: str, language: str, found: set[str]) -> None:
    """In German `der` opens; a text without such a word breaks off inside a longer one."""
    assert every("truncated", text, language=language) <= found


def test_with_answers_it_ends_before_the_first_of_them() -> None:
    """Wherever the answer stands; a text without one breaks off as without answers."""
    frame = table([TEXT, TEXT, "Wales is where it rises."], answers=[["Shrewsbury", "the sea"], ["York"], ["wales"]])
    found = negforge.run(TITLE, frame, kind=["truncated"], answers="answers")
    texts = {row["source_id"]: row["negative"] for row in found.kept.to_dicts()}
    assert TEXT.startswith(texts["row 0"])
    assert "Shrewsbury" not in texts["row 0"]
    assert texts["row 1"] in every("truncated", TEXT)
    assert found.dropped.select("source_id", "drop_reason").rows() == [("row 2", "answer-first")]
    held = negforge.run(
        TITLE, table([TEXT] * 9, ["Is it the Severn?"] * 9, answers=[["the", "severn"]] * 9), kind=["looping", "copied"], answers="answers"
    )
    assert set(held.dropped["drop_reason"]) == {"answer-held"}
    alone = negforge.run(TITLE, table([TEXT], answers=["shrewsbury"]), kind=["truncated"], answers="answers").kept["negative"][0]
    assert TEXT.startswith(alone)


def test_a_loop_says_three_words_three_times_at_least() -> None:
    """By hand: a unit of three to six words, three to six times, after the text before it."""
    found = every("looping", TEXT)
    assert len(found) > 10
    for text in found:
        assert repeats(text) >= 3
        assert text.startswith(TEXT[:3])
    assert every("looping", "One two three, four.") == {"One two three, " * more + "One two three" for more in (2, 3, 4, 5)}
    assert every("looping", "我们走吧") == {"我们走" * times for times in (3, 4, 5, 6)}


def test_a_copy_is_of_a_question() -> None:
    """The anchor where it asks and the positive does not; a claim or a second question gives none."""
    frame = table(
        ["In Wales.", "In Wales.", "In Wales.", "Where is its source?", "In Wales."],
        ["Where does it rise?", "It rises in Wales.", "where does it rise", "Where does it rise?", "What a river it is."],
    )
    found = negforge.run(TITLE, frame, kind=["copied"])
    assert dict(zip(found.kept["source_id"], found.kept["negative"], strict=True)) == {
        "row 0": "Where does it rise?",
        "row 2": "where does it rise",
    }
    assert set(found.dropped["drop_reason"]) == {"no-question"}


def test_an_empty_answer_is_a_row() -> None:
    """Nothing at all, once."""
    assert [row["negative"] for row in rows(TITLE, [TEXT], kind=["empty"], num_negatives=3)] == [""]


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("It is so.", "truncated", "too-short"),
        ("It is. So there was some more of it.", "truncated", "too-short"),
        ("Dogs bark when they see cats", "truncated", "no-open-end"),
        ("我们走吧今天天气", "truncated", "no-open-end"),
        ("He is tall.", "looping", "too-short"),
        ("Is it so?", "copied", "no-question"),
    ],
)
def test_refusals(text: str, kind: str, reason: str) -> None:
    """Each reason why a text gives nothing."""
    assert reasons(TITLE, [text], kind=[kind]) == [reason]


def test_label_and_turns() -> None:
    """Such an answer is a negative of its own opposition; one of each kind comes before a second of any."""
    found = rows(TITLE, [TEXT], num_negatives=6)
    assert {row["degeneration"] for row in found[:4]} == {*KINDS}
    assert len({row["negative"] for row in found}) == 6
    assert {(row["label"], row["opposition"]) for row in found} == {("negative", "degenerate")}


@settings(max_examples=150)
@given(st.one_of(strategies.texts, st.sampled_from(ODD)), st.integers(0, 3))
def test_every_kind_keeps_its_word(text: str, seed: int) -> None:
    """Whatever the text: a truncated one is a true beginning, a loop goes round three times, nothing else is written."""
    for row in made(generate, [text], num_negatives=8, seed=seed).rows.to_dicts():
        kind, new = row["degeneration"], row["negative"]
        if kind == "truncated":
            assert text.startswith(new)
            assert 2 <= len(words(new)) < len(words(text))
        elif kind == "looping":
            assert repeats(new) >= 3
            shared = sum(1 for same, _ in groupby(zip(new, text, strict=False)) if same[0] == same[1])
            assert shared or not text
        elif kind == "copied":
            assert new == "What is said in text 0?"
        else:
            assert new == ""


@settings(max_examples=60)
@given(st.lists(st.one_of(strategies.texts, st.sampled_from(ODD)), max_size=5, unique=True))
def test_any_batching_gives_the_same(texts: list[str]) -> None:
    """Rows do not depend on their neighbours, whatever the texts hold."""
    same_in_any_batching(generate, texts)


def test_a_very_long_cell() -> None:
    """A megabyte of text gives short rows."""
    assert {len(row["negative"]) < 20_000 for row in rows(TITLE, [LONG], num_negatives=6)} == {True}


def test_faults() -> None:
    """No kind, one twice, a column that is not there or holds no texts, and one in the way."""
    with pytest.raises(UsageError):
        negforge.run(TITLE, table([TEXT]), kind=[])
    with pytest.raises(UsageError):
        negforge.run(TITLE, table([TEXT]), kind=["empty", "empty"])
    with pytest.raises(InputError) as error:
        negforge.run(TITLE, table([TEXT], gold=["x"]), answers="golf")
    assert "gold" in error.value.mend
    with pytest.raises(InputError):
        negforge.run(TITLE, table([TEXT], gold=[1]), answers="gold")
    with pytest.raises(InputError):
        negforge.run(TITLE, table([TEXT], degeneration=["x"]))


def test_the_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr; kinds are repeatable."""
    table([TEXT, "..."]).write_parquet(tmp_path / "p.parquet")
    done = good(
        "generate", "perturb.degenerate", tmp_path / "p.parquet", "--kind", "looping", "--kind", "truncated", "-n", "2", "--to", "jsonl"
    )
    assert {json.loads(line)["degeneration"] for line in done.out.splitlines()} == {"looping", "truncated"}
    assert "asked 4, emitted 2" in done.err


def test_real_answers(real_data: Path) -> None:
    """TOFU's answers and GSM8K's solutions take every kind; no broken-off answer holds a second sentence."""
    lines = (real_data / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line) for line in lines]
    frame = table([one["answer"] for one in texts], [one["question"] for one in texts])
    found = negforge.run(TITLE, frame, num_negatives=4).kept
    counts = Counter(found["degeneration"])
    assert counts["empty"] == len(texts)
    assert counts["copied"] > 0.8 * len(texts)
    assert min(counts["looping"], counts["truncated"]) > 0.5 * len(texts)
    for row in found.to_dicts():
        if row["degeneration"] == "truncated":
            assert "\n" not in row["negative"]
            assert "####" not in row["negative"]

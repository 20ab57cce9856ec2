"""A verb in a tense that the time of its own clause excludes: which clauses, and every reason to leave one alone."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from negforge import tagging
from negforge.cli import app
from negforge.contract import Edit, Refusal
from negforge.generate.perturb.tense import generate
from negforge.records import Pairs
from negforge.rng import Rng

WORDS = """She they the dog ran was will go be yesterday tomorrow in 1950 last next week ago two years and to that , . ? not since
 \U0001f600 e\u0301 \u202e""".split()
TEXTS = st.one_of(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), st.text(max_size=60))


def together(texts: list[str], names: list[str], *, seed: int = 0, num_negatives: int = 3, **options: Any) -> list[Edit | Refusal]:
    """What the operator yields for the texts in one batch."""
    frame = pl.DataFrame({"id": names, "positive": texts}, schema={"id": pl.String, "positive": pl.String})
    batch = Pairs(frame.with_columns(tagging.tagged(frame["positive"])))
    return list(generate(batch, Rng(seed, "generate perturb.tense"), num_negatives=num_negatives, **options))


def applied(text: str, edit: Edit) -> str:
    """The text with the edit."""
    return text[: edit.start] + edit.new + text[edit.end :]


def one(text: str, **options: Any) -> str:
    """What becomes of a text of one sentence, or the reason why nothing does."""
    (made,) = together([text], ["0"], **options)
    return f"<{made.reason}>" if isinstance(made, Refusal) else applied(text, made)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("She ran home yesterday.", "She will run home yesterday."),
        ("The shop was closed in 1950.", "The shop will be closed in 1950."),
        ("In May 1950, the shops were closed.", "In May 1950, the shops will be closed."),
        ("Ann wrote it two years ago.", "Ann will write it two years ago."),
        ("Ann visited her aunt last week.", "Ann will visit her aunt last week."),
        ("Ann had a shop in the 1950s.", "Ann will have a shop in the 1950s."),
        ("Ann will visit Rome tomorrow.", "Ann visited Rome tomorrow."),
        ("They will be here next week.", "They were here next week."),
        ("She'll run home tomorrow.", "She ran home tomorrow."),
        ("Is it so? She ran home yesterday.", "Is it so? She will run home yesterday."),
    ],
)
def test_the_tense_clashes_with_its_time(text: str, made: str) -> None:
    """The past becomes the future, and the future the past, beside the time that says otherwise."""
    assert one(text) == made


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("She ran home.", "no-anchor"),
        ("She ran to the house that was built in 1950.", "no-anchor"),
        ("Did she run home yesterday?", "question"),
        ("She ran home yesterday!", "exclamation"),
        ("If she ran home yesterday, he left.", "conditional"),
        ("He said she ran home yesterday.", "reported"),
        ('She ran "home" yesterday.', "quoted"),
        ("Born yesterday.", "short"),
        ("Perhaps she ran home yesterday.", "hedged"),
        ("She did not run home yesterday.", "negated"),
        ("She ran yesterday and will run tomorrow.", "two-anchors"),
        ("She lived here since May of 1950.", "since"),
        ("She leaves for Rome tomorrow.", "fits"),
        ("She has been there last week.", "fits"),
        ("In 1950, the man was to leave.", "idiom"),
        ("A picture of Rome in 1950.", "no-verb"),
        ("The man dressed in black in 1950.", "verb-form"),
        ("She came and saw it in 1950.", "coordinated"),
        ("When it rained, she left in 1950.", "opener"),
        ("On the hill was a shop in 1950.", "inverted"),
        ("She saw the dog was ill in 1950.", "several-verbs"),
        ("Take the bus of 1950.", "imperative"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    """A clause without a time of its own, or whose time allows both tenses, gives its reason."""
    assert one(text) == f"<{reason}>"


def test_protect_and_no_site() -> None:
    """What matches is left alone; a text without a time says nothing at all on the command line."""
    assert one("She ran home yesterday.", protect="ran") == "<protected>"


def test_several_sentences_give_several() -> None:
    """One edit a sentence; fewer slots give the first of them."""
    text = "She ran home yesterday. The shop was closed in 1950."
    most = together([text], ["0"])
    assert len(most) == 2
    assert together([text], ["0"], num_negatives=1) == most[:1]
    assert one('He wrote, "We ran. She ran home yesterday. It was late."') == "<quoted>"


@given(st.lists(TEXTS, max_size=4), st.integers(1, 3), st.integers(0, 5))
def test_laws(texts: list[str], wanted: int, seed: int) -> None:
    """Edits lie in the text, change it and undo; a row has edits or one refusal, whatever its batch."""
    names = [str(at) for at in range(len(texts))]
    made = together(texts, names, num_negatives=wanted, seed=seed)
    alone = [found for name, text in zip(names, texts, strict=True) for found in together([text], [name], num_negatives=wanted, seed=seed)]
    assert made == alone
    for at, text in enumerate(texts):
        own = [found for found in made if found.row_id == str(at)]
        edits = [found for found in own if isinstance(found, Edit)]
        assert len(own) <= 1 or len(edits) == len(own) <= wanted
        for edit in edits:
            changed = applied(text, edit)
            assert changed != text
            assert changed[: edit.start] + text[edit.start : edit.end] + changed[edit.start + len(edit.new) :] == text


@pytest.mark.parametrize(
    "text",
    ["", "\u202e\u05d0\u05d1 in 1950", "She ran\u0000 home yesterday.", "The cafe\u0301 was open in 1950 \U0001f600.", "1950 " * (1 << 18)],
)
def test_bad_input(text: str) -> None:
    """Emoji, combining marks, right-to-left, control characters and a cell of a megabyte break nothing."""
    for made in together([text], ["0"]):
        assert isinstance(made, Refusal) or text[: made.start] == applied(text, made)[: made.start]


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts by reason on stderr."""
    file = tmp_path / "claims.jsonl"
    texts = ["She ran home yesterday.", "Did she run yesterday?", "The dog is here."]
    file.write_text("".join(json.dumps({"anchor": text, "positive": text}) + "\n" for text in texts), encoding="utf-8")
    result = CliRunner().invoke(app, ["generate", "perturb.tense", str(file), "--to", "jsonl"])
    assert result.exit_code == 0
    assert [json.loads(line)["negative"] for line in result.stdout.splitlines()] == ["She will run home yesterday."]
    assert "question 1" in result.stderr and "no-site 1" in result.stderr


def test_real_passages(real_data: Path) -> None:
    """CondaQA: passages of history have such clauses, and each edit puts `will` in or takes it away."""
    lines = gzip.decompress((real_data / "condaqa" / "condaqa_dev.json.gz").read_bytes()).decode().splitlines()
    texts = list(dict.fromkeys(json.loads(line)["sentence1"] for line in lines))[:200]
    edits = [made for made in together(texts, [str(at) for at in range(len(texts))]) if isinstance(made, Edit)]
    assert len(edits) > 5
    for edit in edits:
        text = texts[int(edit.row_id)]
        assert ("will" in edit.new) != ("will" in text[edit.start : edit.end])

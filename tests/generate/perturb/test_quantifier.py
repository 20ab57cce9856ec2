"""A quantifier's contrary in its place: which pairs, what agrees with them, and every reason to leave one alone."""

from __future__ import annotations

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
from negforge.generate.perturb.quantifier import generate
from negforge.records import Pairs
from negforge.rng import Rng

WORDS = """all every each no some many most few both neither always never often everyone nobody more less than at least most 3 5 must may
 the a dogs dog are is has she they of one not any who , . ? \U0001f600 e\u0301 \u202e""".split()
TEXTS = st.one_of(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), st.text(max_size=60))


def run(texts: list[str], *, seed: int = 0, num_negatives: int = 3, **options: Any) -> list[Edit | Refusal]:
    """What the operator yields for the texts."""
    return [
        made._replace(row_id=str(at))
        for at, text in enumerate(texts)
        for made in together([text], names=[str(at)], seed=seed, num_negatives=num_negatives, **options)
    ]


def together(texts: list[str], names: list[str], *, seed: int = 0, num_negatives: int = 3, **options: Any) -> list[Edit | Refusal]:
    """What the operator yields for the texts in one batch."""
    frame = pl.DataFrame({"id": names, "positive": texts}, schema={"id": pl.String, "positive": pl.String})
    batch = Pairs(frame.with_columns(tagging.tagged(frame["positive"])))
    return list(generate(batch, Rng(seed, "generate perturb.quantifier"), num_negatives=num_negatives, **options))


def applied(text: str, edit: Edit) -> str:
    """The text with the edit."""
    return text[: edit.start] + edit.new + text[edit.end :]


def first(text: str, **options: Any) -> str:
    """The first that becomes of a text, the reason why nothing does, or nothing where there is no site."""
    made = run([text], **options)
    if not made:
        return ""
    return f"<{made[0].reason}>" if isinstance(made[0], Refusal) else applied(text, made[0])


CHANGED = """
All dogs are here.|No dogs are here.
Every dog is here.|No dog is here.
Each dog has a name.|No dog has a name.
All the dogs are here.|None of the dogs are here.
All of the dogs are here.|None of the dogs are here.
All three dogs are here.|None of the three dogs are here.
She ate all the apples.|She ate none of the apples.
No dogs are here.|All dogs are here.
No V600E mutations were found.|All V600E mutations were found.
No dog is here.|Every dog is here.
None of the dogs is here.|All of the dogs are here.
Some dogs are here.|No dogs are here.
There are some dogs here.|There are no dogs here.
Most dogs are here.|Few dogs are here.
A few dogs are here.|No dogs are here.
Ann is always late.|Ann is never late.
Ann is never late.|Ann is always late.
Ann often eats meat.|Ann never eats meat.
Everyone is here today.|No one is here today.
No one is here today.|Everyone is here today.
Nobody is here today.|Everybody is here today.
Ann likes everything here.|Ann likes nothing here.
Both of the dogs are here.|Neither of the dogs is here.
Both dogs are here.|Neither dog is here.
Neither dog is here.|Both dogs are here.
It is both a bird and a mammal.|It is neither a bird nor a mammal.
Few dogs are here.|Many dogs are here.
Both cats and dogs are here.|Neither cats nor dogs are here.
Both Ann and Bob are here.|Neither Ann nor Bob is here.
There are at least 3 dogs here.|There are fewer than 3 dogs here.
Ann is at least 3 meters tall.|Ann is less than 3 meters tall.
She owns at most 3 dogs.|She owns more than 3 dogs.
She owns more than 3 dogs.|She owns at most 3 dogs.
She owns fewer than 3 dogs.|She owns at least 3 dogs.
She owns at least one dog.|She owns no dog.
Ann is more careful than Bob.|Ann is less careful than Bob.
Ann has more dogs than Bob.|Ann has fewer dogs than Bob.
Ann is less careful than Bob.|Ann is more careful than Bob.
She is the most famous writer.|She is the least famous writer.
They have never known this.|They have always known this.
She has never been late.|She has always been late.
She took some minor cities.|She took no minor cities.
The drivers must stop here.|The drivers must not stop here.
"""
REFUSED = """
Are all dogs here?|question
All dogs are here!|exclamation
If all dogs are here, she runs.|conditional
She said that all dogs are here.|reported
"All" dogs are here today.|quoted
All dogs.|short
Perhaps all dogs are here.|hedged
Dogs may bark at night.|subcontrary
Not all dogs are here.|subcontrary
It may hurt some dogs here.|subcontrary
She won in both cities and overall.|agreement
These are the two most frequent causes.|idiom
All dogs are not here.|negated
All dogs have some toys.|several
All dogs are also here.|focus
Almost all dogs are here.|approximate
All dogs are here because it rained.|because
The owner of all dogs is here.|scope
The dog that every man saw is old.|opener
All dogs ran home and slept.|coordinated
Several cows and a horse are here.|coordinated
All dogs on a sofa.|no-verb
A man has some dogs.|indefinite
She has more or less dogs.|idiom
In every city, she runs home.|scope
She runs home every day.|floating
They all are here today.|scope
She owns at least 3 to 5 dogs.|range
Nobody came here yet.|polarity-item
Some money is here.|agreement
He took most of the money.|agreement
It ran all last week.|temporal
She owns slightly more than 3 dogs.|approximate
She owns well more than 3 dogs.|approximate
She owns a little more than 3 dogs.|approximate
She owns far more than 3 dogs.|approximate
She owns just more than 3 dogs.|approximate
It is one of the band's several songs.|idiom
The band sang JoJo's several songs.|idiom
They are the Beatles' several songs.|idiom
They have never met.|event
They had never been to Rome.|event
He has never painted it.|event
She has never been told.|event
She never married him.|event
She was never born there.|event
He took Ioannina and some minor cities.|coordinated
He took some minor cities and Ioannina.|coordinated
He took Arta, some minor cities and Ioannina.|coordinated
Os sempre jogos do no brasil foram jogados pelos times.|foreign
"""


def pairs_of(listed: str) -> list[tuple[str, str]]:
    """Lines of two texts."""
    return [(left, right) for left, _, right in (line.partition("|") for line in listed.strip().splitlines())]


@pytest.mark.parametrize(("text", "made"), pairs_of(CHANGED))
def test_a_quantifier_gives_its_contrary(text: str, made: str) -> None:
    """With a noun and a verb that agree."""
    assert first(text) == made


@pytest.mark.parametrize(("text", "reason"), pairs_of(REFUSED))
def test_what_is_refused(text: str, reason: str) -> None:
    """Where both might hold, or the sentence cannot be read surely, the row gives its reason."""
    assert first(text) == f"<{reason}>"


def test_no_site_and_protect() -> None:
    """A text without a quantifier says nothing; what matches is left alone."""
    assert first("The dog is here.") == ""
    assert first("All dogs are here.", protect="(?i)all") == "<protected>"


def test_a_second_value_and_a_second_sentence() -> None:
    """Sentences come by turns, the second value of one after the first of all; fewer slots give the first."""
    made = {applied("Ann is always late.", one) for one in run(["Ann is always late."]) if isinstance(one, Edit)}
    assert made == {"Ann is never late.", "Ann is rarely late."}
    text = "Ann is always late. All dogs are here."
    edits = run([text])
    assert len({one.start for one in edits[:2] if isinstance(one, Edit)}) == 2
    assert run([text], num_negatives=2) == edits[:2]


def test_a_quotation_goes_on_over_sentences() -> None:
    """What lies between two quotation marks is not asserted."""
    assert first('He wrote, "We ran. All dogs are here. It was late."') == "<quoted>"


@given(st.lists(TEXTS, max_size=4), st.integers(1, 3), st.integers(0, 5))
def test_laws(texts: list[str], wanted: int, seed: int) -> None:
    """Edits lie in the text, change it and undo; draws differ; a row has edits or one refusal, whatever its batch."""
    made = together(texts, [str(at) for at in range(len(texts))], num_negatives=wanted, seed=seed)
    assert made == run(texts, num_negatives=wanted, seed=seed)
    for at, text in enumerate(texts):
        own = [found for found in made if found.row_id == str(at)]
        edits = [found for found in own if isinstance(found, Edit)]
        assert len(own) <= 1 or len(edits) == len(own) <= wanted
        assert len({applied(text, edit) for edit in edits}) == len(edits)
        for edit in edits:
            changed = applied(text, edit)
            assert changed != text
            assert changed[: edit.start] + text[edit.start : edit.end] + changed[edit.start + len(edit.new) :] == text


@pytest.mark.parametrize(
    "text", ["", "\u202e\u05d0\u05d1 all", "All dogs\u0000 are here.", "All cafe\u0301s are open \U0001f600.", "all " * (1 << 18)]
)
def test_bad_input(text: str) -> None:
    """Emoji, combining marks, right-to-left, control characters and a cell of a megabyte break nothing."""
    for made in run([text]):
        assert isinstance(made, Refusal) or text[: made.start] == applied(text, made)[: made.start]


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts by reason on stderr."""
    file = tmp_path / "claims.jsonl"
    texts = ["All dogs are here.", "Are all here?", "The dog is here."]
    file.write_text("".join(json.dumps({"anchor": one, "positive": one}) + "\n" for one in texts), encoding="utf-8")
    result = CliRunner().invoke(app, ["generate", "perturb.quantifier", str(file), "--to", "jsonl"])
    assert result.exit_code == 0
    assert [json.loads(line)["negative"] for line in result.stdout.splitlines()] == ["No dogs are here."]
    assert "question 1" in result.stderr and "no-site 1" in result.stderr


def test_real_captions(real_data: Path) -> None:
    """SugarCrepe: captions that say `some` or `several` at their head say `no` after it, and nothing else is changed."""
    rows = json.loads((real_data / "sugarcrepe" / "add_obj.json").read_text(encoding="utf-8")).values()
    texts = list(dict.fromkeys(row["caption"] for row in rows))
    made = [one for one in run(texts, num_negatives=1) if isinstance(one, Edit)]
    assert len(made) > 10
    for one in made:
        text = texts[int(one.row_id)]
        assert text[: one.start] == applied(text, one)[: one.start] and text.endswith(applied(text, one)[one.start + len(one.new) :])

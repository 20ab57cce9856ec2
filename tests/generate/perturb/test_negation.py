"""A main clause negated, or its one negation taken away: which, how, and every reason to leave one alone."""

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
from negforge.generate.perturb.negation import generate
from negforge.records import Pairs
from negforge.rng import Rng

WORDS = """She he they the a dogs dog is are was has have not n't never no can cannot may will did do does ran run know knows without
 any at all who that when if and or but , . ? ! nobody nothing neither nor some all only because isn't don't \U0001f600 e\u0301 \u202e""".split()
TEXTS = st.one_of(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join), st.text(max_size=60))


def run(texts: list[str], *, seed: int = 0, num_negatives: int = 3, **options: Any) -> list[Edit | Refusal]:
    """What the operator yields for the texts."""
    frame = pl.DataFrame({"id": [str(at) for at in range(len(texts))], "positive": texts}, schema={"id": pl.String, "positive": pl.String})
    batch = Pairs(frame.with_columns(tagging.tagged(frame["positive"])))
    return list(generate(batch, Rng(seed, "generate perturb.negation"), num_negatives=num_negatives, **options))


def applied(text: str, edit: Edit) -> str:
    """The text with the edit."""
    return text[: edit.start] + edit.new + text[edit.end :]


def one(text: str, **options: Any) -> str:
    """What becomes of a text of one sentence, or the reason why nothing does."""
    (made,) = run([text], **options)
    return f"<{made.reason}>" if isinstance(made, Refusal) else applied(text, made)


INSERTED = """
They know the answer.|They do not know the answer.
She ran home.|She did not run home.
She knows the answer.|She does not know the answer.
She quickly agreed on it.|She did not quickly agree on it.
He put the book there.|He did not put the book there.
He found the key.|He did not find the key.
Ann has a red car.|Ann does not have a red car.
Ann had seen the car.|Ann had not seen the car.
He has to leave today.|He does not have to leave today.
She did the work.|She did not do the work.
The dog is asleep.|The dog is not asleep.
Ann can swim well.|Ann cannot swim well.
Ann will leave today.|Ann will not leave today.
Drivers in France must pay.|Drivers in France must not pay.
A driver must stop here.|A driver must not stop here.
He's tall and he isn't old.|<negated>
They're happy here.|They're not happy here.
It's cold and the dog is wet.|It's not cold and the dog is wet.
The dog doesn't bark. The cat is here.|The dog doesn't bark. The cat isn't here.
We don't know. She ran home.|We don't know. She didn't run home.
A man is asleep.|No man is asleep.
an old man is asleep.|no old man is asleep.
There is a dog in the park.|There is no dog in the park.
There are dogs in the park.|There are no dogs in the park.
THERE IS A FIRE IN THE ROOM|THERE IS NO FIRE IN THE ROOM
Dogs are barking.|No dogs are barking.
In 1995, French women were asleep.|In 1995, no French women were asleep.
METHODS Dogs are barking.|METHODS No dogs are barking.
METHODS The dog is asleep.|METHODS The dog is not asleep.
Neurobehavioral outcomes were improved.|No neurobehavioral outcomes were improved.
dogs are barking.|no dogs are barking.
Ann, a writer, was asleep.|Ann, a writer, was not asleep.
Ann Bell has a red car|Ann Bell does not have a red car
The work known as the Bell is old.|The work known as the Bell is not old.
In 1995, she moved to Rome.|In 1995, she did not move to Rome.
The film directed by Ann was long.|The film directed by Ann was not long.
"""
REMOVED = """
They do not know the answer.|They know the answer.
She didn't run home.|She ran home.
She doesn't know him.|She knows him.
He does not have a car.|He has a car.
The dog is not asleep.|The dog is asleep.
The dog isn\u2019t asleep.|The dog is asleep.
Ann cannot swim.|Ann can swim.
Ann can't swim here.|Ann can swim here.
Ann won't come here.|Ann will come here.
She never smiled at him.|She smiled at him.
There are no dogs here.|There are dogs here.
There is no dog here.|There is a dog here.
There is no old owl here.|There is an old owl here.
There is no evidence of it.|There is evidence of it.
There are no deer here.|There are deer here.
There are no humans here.|There are humans here.
There are no people in it.|There are people in it.
No dogs are barking.|Dogs are barking.
It is no longer used there.|It is used there.
She did not eat any apples.|She ate some apples.
She does not like it at all.|She likes it.
It is not yet known.|It is already known.
Nobody came to the party.|Somebody came to the party.
Nothing was found there.|Something was found there.
None of the men came.|Some of the men came.
He rarely eats meat.|He often eats meat.
It is neither a bird nor a bat.|It is both a bird and a bat.
He left without a coat.|He left with a coat.
She is unable to swim.|She is able to swim.
The room lacks a window.|The room has a window.
She failed to win it.|She managed to win it.
"""
REFUSED = """
Madrid's buildings are old.|scope
Er wurde am 3. Mai in Bonn geboren.|no-verb
Is the dog not asleep?|question
The dog ran home!|exclamation
If it rains, she runs.|conditional
She said that it rained.|reported
He is a "friend" of hers.|quoted
Old dogs.|short
Take the bus to Rome.|imperative
The dog is perhaps asleep.|hedged
A dog on a red sofa.|no-verb
A man dressed in black.|verb-form
She saw the dog was asleep.|several-verbs
She ran home and slept.|coordinated
On the table is a cat.|inverted
The house that Jack built is old.|opener
He used to live here.|idiom
My Name Is Khan (film)|title
The dog is asleep (TV series)|title
My Name Is Khan|title
What We Saw Was the Sea|title
The final work Fitzgerald exhibited at the Royal Academy, in 1902, was a picture.|several-verbs
I guess that he is right.|hedged
We reckon he is right.|hedged
In 2006, a year prior to filming, the writer was murdered.|opener
A year prior to filming, the writer was murdered.|opener
A year before, in 2006, the writer was murdered.|opener
Stocks rise 2% as oil falls below $70|opener
O nome do filme foi escolhido pelo diretor brasileiro.|foreign
All dogs are asleep.|quantified
Two men are asleep.|quantified
A total of 40 men were asleep.|quantified
At one time the town was large.|quantified
Only Ann is asleep.|focus
She may leave today.|modal
She left because it rained.|because
Dogs include poodles.|generic
A man and a woman are asleep.|joined
The dog is not not asleep.|negated-twice
He is not only tall here.|focus
There is no doubt of it.|pseudo-negation
She has not ever seen it.|polarity-item
The man not wearing a hat is tall.|scope
It is not red but blue.|contrast
He hardly moved at it.|approximate
A man is not asleep.|indefinite
She has no courage for it.|article
He said so, but she did not.|reported
The old man is not.|ellipsis
"""


def pairs_of(listed: str) -> list[tuple[str, str]]:
    """Lines of two texts."""
    return [(left, right) for left, _, right in (line.partition("|") for line in listed.strip().splitlines())]


@pytest.mark.parametrize(("text", "made"), pairs_of(INSERTED))
def test_a_clause_is_negated(text: str, made: str) -> None:
    """With `not` after its auxiliary, with `do` where it has none, or by its subject (marcotcr/checklist#43)."""
    assert one(text, kind="insert") == made


@pytest.mark.parametrize(("text", "made"), pairs_of(REMOVED))
def test_a_negation_is_taken_away(text: str, made: str) -> None:
    """The one cue goes, the verb gets its form back, what needed the cue is changed (GEM-benchmark/NL-Augmenter#149, #174)."""
    assert one(text, kind="remove") == made
    assert one(text) == made


@pytest.mark.parametrize(("text", "reason"), pairs_of(REFUSED))
def test_what_is_refused(text: str, reason: str) -> None:
    """A sentence whose negation need not be false, or that cannot be read surely, gives its reason."""
    assert one(text) == f"<{reason}>"


def test_kinds() -> None:
    """Each kind refuses what is the other's."""
    assert one("The dog is not asleep.", kind="insert") == "<negated>"
    assert one("The dog is asleep.", kind="remove") == "<affirmative>"


def test_a_quotation_goes_on_over_sentences() -> None:
    """What lies between two quotation marks is not asserted, whatever sentence it is."""
    text = 'He wrote, "We ran home. She was tall. It was late." The dog is asleep.'
    assert [applied(text, made)[-22:] for made in run([text]) if isinstance(made, Edit)] == ["The dog is not asleep."]


def test_protect() -> None:
    """What matches is left alone."""
    assert one("The dog is asleep.", protect="asleep") == "The dog is not asleep."
    assert one("She ran home.", protect="ran") == "<protected>"


def test_several_sentences_give_several() -> None:
    """One edit a sentence, in an order that varies with the row and keeps for fewer slots."""
    text = "She ran home. The dog is asleep. Ann can swim."
    assert len({applied(text, made) for made in run([text]) if isinstance(made, Edit)}) == 3
    assert len({run([text], seed=seed, num_negatives=1)[0] for seed in range(12)}) == 3
    assert run([text], num_negatives=2) == run([text], num_negatives=3)[:2]


@given(st.lists(TEXTS, max_size=4), st.integers(1, 3), st.integers(0, 5))
def test_laws(texts: list[str], wanted: int, seed: int) -> None:
    """Edits lie in the text, change it and undo; draws differ; a row has edits or one refusal; rows do not look at each other."""
    made = run(texts, num_negatives=wanted, seed=seed)
    for at, text in enumerate(texts):
        own = [found for found in made if found.row_id == str(at)]
        edits = [found for found in own if isinstance(found, Edit)]
        assert len(own) <= 1 or len(edits) == len(own) <= wanted
        assert len({applied(text, edit) for edit in edits}) == len(edits)
        for edit in edits:
            changed = applied(text, edit)
            assert changed != text
            assert changed[: edit.start] + text[edit.start : edit.end] + changed[edit.start + len(edit.new) :] == text
            assert "  " not in edit.new or "  " in text
    alone = [found._replace(row_id=str(at)) for at, text in enumerate(texts) for found in generate_one(text, str(at), wanted, seed)]
    assert made == alone


def generate_one(text: str, row_id: str, wanted: int, seed: int) -> list[Edit | Refusal]:
    """What a row gives alone."""
    frame = pl.DataFrame({"id": [row_id], "positive": [text]})
    batch = Pairs(frame.with_columns(tagging.tagged(frame["positive"])))
    return list(generate(batch, Rng(seed, "generate perturb.negation"), num_negatives=wanted))


@pytest.mark.parametrize(
    "text", ["", "\u202e\u05d0\u05d1 \u05d2", "The dog\u0000 is asleep.", "The cafe\u0301 is open \U0001f600.", "x" * (1 << 20)]
)
def test_bad_input(text: str) -> None:
    """Emoji, combining marks, right-to-left, control characters and a cell of a megabyte break nothing."""
    for made in run([text]):
        assert isinstance(made, Refusal) or text[: made.start] == applied(text, made)[: made.start]


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts by reason on stderr."""
    file = tmp_path / "claims.jsonl"
    texts = ["The dog is asleep.", "Is it?", "She did not run."]
    file.write_text("".join(json.dumps({"anchor": one, "positive": one}) + "\n" for one in texts), encoding="utf-8")
    result = CliRunner().invoke(app, ["generate", "perturb.negation", str(file), "--to", "jsonl"])
    assert result.exit_code == 0
    assert {json.loads(line)["negative"] for line in result.stdout.splitlines()} == {"The dog is not asleep.", "She ran."}
    assert "question" in result.stderr


def test_scope_on_real_minimal_pairs(real_data: Path) -> None:
    """ScoNe: a sentence with two cues is never edited; where one cue is taken away, the result is the sentence people wrote without it."""
    folder = real_data / "scone_nli" / "train"
    twice = pl.read_csv(folder / "two_scoped.csv")["sentence1_edited"].drop_nulls().to_list()[:150]
    assert not [made for made in run(twice, kind="remove") if isinstance(made, Edit)]
    plain = pl.read_csv(folder / "no_negation.csv").select("sentence1", "sentence1_edited").drop_nulls().unique(maintain_order=True)
    texts, wanted = plain["sentence1"].to_list(), plain["sentence1_edited"].to_list()
    edits = [made for made in run(texts, kind="remove") if isinstance(made, Edit)]
    same = [applied(texts[int(made.row_id)], made) == wanted[int(made.row_id)] for made in edits]
    assert len(same) > 100
    assert sum(same) / len(same) > 0.6


def test_foils_that_people_made(real_data: Path) -> None:
    """VALSE: what is made of a caption that denies is the foil that people made of it, but for a word."""
    rows = json.loads(gzip.decompress((real_data / "valse" / "existence.json.gz").read_bytes())).values()
    rows = [row for row in rows if " no " in row["caption"] and row["mturk"]["caption"] >= 2]
    edits = [made for made in run([row["caption"] for row in rows], kind="remove") if isinstance(made, Edit)]
    same = [applied(rows[int(made.row_id)]["caption"], made) == rows[int(made.row_id)]["foil"] for made in edits]
    assert len(same) > 60
    assert sum(same) / len(same) > 0.9

"""One entity replaced by another of its type: where only one can be true, by whom, all mentions together, and why not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge import tagging
from negforge.cli import app
from negforge.contract import Edit, Refusal
from negforge.errors import UsageError
from negforge.generate.perturb.replace_entity import generate, prepare
from negforge.records import Pairs
from negforge.rng import Rng
from tests.naming import apply, negatives, reason, undone

# Names to choose from, none of which stands beside another.
POOL = [
    *("We saw Alice Smith.", "We saw Mary Jones.", "We saw John Brown.", "We saw Peter White.", "We saw Rome.", "We saw Lisbon."),
    *("We saw Norway.", "We saw Chile.", "We saw Texas.", "We saw Ohio.", "We saw Acme Corporation.", "We saw Trinity College."),
]


def frame(texts: Iterable[str], anchors: Iterable[str] | None = None, **columns: list[Any]) -> pl.DataFrame:
    """Rows of the texts, tagged; each its own anchor unless given."""
    rows = list(texts)
    names = list(anchors) if anchors is not None else rows
    made = pl.DataFrame(
        {"id": [str(place) for place in range(len(rows))], "anchor_id": names, "anchor": names, "positive": rows},
        schema=dict.fromkeys(("id", "anchor_id", "anchor", "positive"), pl.String),
    )
    return made.with_columns(tagging.tagged(made["positive"]), *(pl.Series(name, cells) for name, cells in columns.items()))


def pool(texts: Iterable[str]) -> pl.DataFrame:
    """Rows of the data that are not asked about."""
    return frame(texts).with_columns(pl.format("pool{}", "id").alias("id"))


def run(
    texts: Iterable[str],
    *,
    seed: int = 0,
    num_negatives: int = 3,
    more: Iterable[str] = POOL,
    anchors: list[str] | None = None,
    **options: Any,
) -> list[Edit | Refusal]:
    """What the operator yields for the texts, with the names of more texts in the data."""
    rows = list(texts)
    asked = frame(rows, anchors)
    data = pl.concat([asked, pool(more)])
    state = prepare(lambda _: iter([data]), map, **{name: options[name] for name in ("entity", "entities") if name in options})
    return [*generate(Pairs(asked), state, Rng(seed, "generate perturb.replace-entity"), num_negatives=num_negatives, **options)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Jane Black wrote The Long Road.", {"Alice Smith wrote The Long Road.", "Mary Jones wrote The Long Road."}),
        ("The song was written by Paul Green.", {"The song was written by John Brown.", "The song was written by Peter White."}),
        ("Dublin is the capital of Ireland.", {f"Dublin is the capital of {one}." for one in ("Norway", "Chile")} | {f"{one} is the capital of Ireland." for one in ("Rome", "Lisbon")}),
        ("Paul Green was born in Dublin.", {"Paul Green was born in Rome.", "Paul Green was born in Lisbon."}),
        ("Paul Green invented the zip. Paul Green was glad.", {f"{one} invented the zip. {one} was glad." for one in ("John Brown", "Peter White")}),
        ("Paul Green was the first president of Ireland.", {f"{one} was the first president of Ireland." for one in ("John Brown", "Peter White")} | {f"Paul Green was the first president of {one}." for one in ("Norway", "Chile")}),
        ("The fair took place in Utah.", set()),
        ("The Battle of Ax took place in Utah.", {"The Battle of Ax took place in Texas.", "The Battle of Ax took place in Ohio."}),
    ],
)  # fmt: skip
def test_only_the_one_of_whom_it_can_be_true_is_replaced(text: str, wanted: set[str]) -> None:
    """By names of the same type, gender and class of place; every mention changes."""
    assert {one for seed in range(20) for one in negatives(run, text, seed=seed, num_negatives=4)} == wanted


REFUSED = {
    "open-relation": """Paul Green wrote many poems.|Paul Green visited Dublin.|Paul Green lived in Dublin.|Paul Green was born in 1990.
        |Jane Black likes it here.|Paul Green was the tallest man in Ireland.|Paul Green died in Spring.|They saw Dublin there.""",
    "generic": "Many songs were written by Paul Green.|Jane Black wrote a Harry Potter book.",
    "type-unknown": "They say Xyzzy wrote the Long Road.|The Long Road is here now.",
    "apposition": "Paul lives where Jane was born in Dublin, Ireland.|The fair is in Dublin (Ireland) now.",
    "coordinated": "The song was written by Paul Green and Jane Black.|Paul Green or Jane Black wrote The Long Road.",
    "possessive": "Paul Green's aunt wrote The Long Road.",
    "modifier": "A Dublin is the capital of it.|The Dublin police wrote The Long Road.",
    "alias": "Paul Green wrote The Long Road. Green was glad.",
    "pronoun": "Robin Green wrote The Long Road. She was glad.",
    "negated": "Paul Green never wrote The Long Road.",
    "conditional": "Paul Green may have wrote The Long Road.",
    "question": "Who says Paul Green wrote The Long Road?",
    "reported": "They said Paul Green wrote The Long Road.",
    "exclamation": "Paul Green wrote The Long Road!",
    "short": "Paul Green.",
    "no-value": "Mount Ax is the only peak in sight.",
    "no-site": "Dogs bark.||\U0001f600",
}  # fmt: skip


@pytest.mark.parametrize(("why", "text"), [(why, text.strip()) for why, texts in REFUSED.items() for text in texts.split("|")])
def test_a_name_is_left_alone_for_a_reason(why: str, text: str) -> None:
    """What others may do too, or what cannot be said of another, is refused by name."""
    found = reason(run, text)
    assert found == why or (why == "apposition" and found == "open-relation")


def test_the_topic_stays_unless_the_anchor_is_edited() -> None:
    """What the anchor asks about is not replaced in the answer; another name is."""
    made = run(["Paul Green wrote The Long Road."], anchors=["What did Paul Green write?"])
    assert made == [Refusal("0", "topic", "Paul Green")]
    assert all(isinstance(one, Edit) for one in run(["Paul Green wrote The Long Road."], anchors=["Who wrote The Long Road?"]))


def test_what_the_data_says_is_held_out() -> None:
    """Names that fill the same text, stand beside another of its names, or are the same anchor's; each alone leaves the other name."""
    text = "Paul Green wrote The Long Road."
    john, peter = ("John Brown wrote The Long Road.", "Peter White wrote The Long Road.")
    assert {*negatives(run, text)} == {john, peter}
    for said in ("John Brown wrote the long road.", "John Brown likes The Long Road.", "The Long Road was read by John Brown."):
        assert {*negatives(run, text, more=[*POOL, said])} == {peter}
    both = run([text, "It was John Brown at last."], anchors=["q", "q"])
    assert {apply(one, text) for one in both if isinstance(one, Edit) and one.row_id == "0"} == {peter}


def test_names_of_a_column_and_of_a_file(tmp_path: Path) -> None:
    """A column says which entity is replaced, and by which others; a file has more of them."""
    rows = frame(
        ["Jane Black wrote Bright Sea with Paul Green.", "Mary Jones ran.", "John Brown ran.", "It ran."],
        who=["Jane Black (writer)", "Mary Jones", "John Brown", "Jane Black"],
    )

    def made(**options: Any) -> list[Edit | Refusal]:
        state = prepare(lambda _: iter([rows]), map, **options)
        return [*generate(Pairs(rows), state, Rng(0, "x"), num_negatives=9, relations="any", entity=options["entity"])]

    by_column = made(entity="who")
    first = [one for one in by_column if one.row_id == "0"]
    assert [one.new for one in first if isinstance(one, Edit)] == ["Mary Jones"]
    assert Refusal("3", "no-entity", "Jane Black") in by_column
    file = tmp_path / "names.txt"
    file.write_text("the Ann Lee\nEve Lee\nXyzzy\n\n", encoding="utf-8")
    assert {one.new for one in made(entity="who", entities=file) if isinstance(one, Edit) and one.row_id == "0"} == {
        "Mary Jones",
        "Eve Lee",
    }
    with pytest.raises(UsageError, match="there is no column 'whom'"):
        made(entity="whom")


def test_any_relation_rests_on_the_data_alone() -> None:
    """Where the data lists all that is true, every sentence that asserts something may be edited."""
    assert reason(run, "Paul Green visited Utah.") == "open-relation"
    made = {one for seed in range(9) for one in negatives(run, "Paul Green visited Utah.", seed=seed, relations="any")}
    assert made == {"John Brown visited Utah.", "Peter White visited Utah.", "Paul Green visited Texas.", "Paul Green visited Ohio."}


def test_draws_differ_by_turns_and_fewer_slots_give_the_first_of_more() -> None:
    """A first name for each entity before the second for any; none twice."""
    text = "Dublin is the capital of Ireland."
    for seed in range(8):
        four = run([text], seed=seed, num_negatives=4)
        assert len({*four}) == 4
        starts = [one.start for one in four if isinstance(one, Edit)]
        assert starts[0] != starts[1]
        assert [run([text], seed=seed, num_negatives=k) for k in (1, 2, 3)] == [four[:1], four[:2], four[:3]]


def test_protected_names_stay() -> None:
    """A pattern protects a name when it overlaps any of its mentions."""
    assert {*negatives(run, "Dublin is the capital of Ireland.", protect="Ireland")} == {
        f"{one} is the capital of Ireland." for one in ("Rome", "Lisbon")
    }
    assert reason(run, "Dublin is the capital of Ireland.", protect="[A-Z]") == "protected"


NAMES = st.sampled_from(
    ["Paul Green", "Jane Black", "Dublin", "the United States", "Ireland", "Xyzzy", "Acme Corporation", "\u05d0\u05d1", "\U0001f600"]
)
WORDS = st.sampled_from(
    [
        "wrote",
        "was written by",
        "is the capital of",
        "was born in",
        "and",
        ",",
        ".",
        "?",
        "'s",
        "He",
        "The",
        "\u0301",
        "\n",
        "The Long Road",
    ]
)
TEXTS = st.one_of(st.lists(st.one_of(NAMES, WORDS), max_size=9).map(" ".join), st.text())


@settings(max_examples=60)
@given(st.lists(TEXTS, max_size=4), st.integers(0, 3))
def test_edits_can_be_undone_and_rows_do_not_look_at_each_other(texts: list[str], seed: int) -> None:
    """One refusal or edits a row, each undone by its record; in one batch as one by one."""
    data = pl.concat([frame(texts), pool(POOL)])
    state = prepare(lambda _: iter([data]), map)
    together = [*generate(Pairs(frame(texts)), state, Rng(seed, "x"), num_negatives=3)]
    asked = frame(texts)
    assert together == [
        one for row in range(len(texts)) for one in generate(Pairs(asked[row : row + 1]), state, Rng(seed, "x"), num_negatives=3)
    ]
    for place, text in enumerate(texts):
        made = [one for one in together if one.row_id == str(place)]
        assert len(made) < 2 or all(isinstance(one, Edit) for one in made)
        assert all(undone(one, text) == text != apply(one, text) for one in made if isinstance(one, Edit))


def test_the_pool_is_the_same_in_any_order_and_cut() -> None:
    """What is known of the data, and its digest, come from its rows alone."""
    rows = frame([*POOL, "Paul Green wrote The Long Road."])
    whole, cut = prepare(lambda _: iter([rows]), map), prepare(lambda _: rows.reverse().iter_slices(3), map)
    assert (whole.pool, whole.said.tolist(), whole.record) == (cut.pool, cut.said.tolist(), cut.record)
    other = prepare(lambda _: iter([rows.head(3)]), map)
    assert other.record != whole.record


def test_a_long_cell_and_control_characters() -> None:
    """A megabyte has no tags, and so no site; control characters are no names."""
    assert run(["Paul Green wrote The Long Road. " * 40_000]) == []
    assert reason(run, "\x00\x1b[0m \u202e \u200b") == "no-site"


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr; a misspelt column is told."""
    path = tmp_path / "texts.jsonl"
    rows = ["Dublin is the capital of Ireland.", "Oslo is the capital of Norway.", "Paul Green likes it."]
    path.write_text("\n".join(json.dumps({"anchor": f"q{place}", "positive": row}) for place, row in enumerate(rows)), encoding="utf-8")
    result = CliRunner().invoke(app, ["generate", "perturb.replace-entity", str(path), "--to", "jsonl"])
    assert result.exit_code == 0, result.stderr
    made = {json.loads(line)["negative"] for line in result.stdout.splitlines()}
    assert made <= {"Oslo is the capital of Ireland.", "Dublin is the capital of Norway."}
    assert "asked 3, emitted 2, open-relation 1" in result.stderr
    wrong = CliRunner().invoke(app, ["generate", "perturb.replace-entity", str(path), "--entity", "positif"])
    assert wrong.exit_code == 2
    assert "there is no column 'positif'" in wrong.stderr
    assert "positive" in wrong.stderr


def test_real_claims(real_data: Path) -> None:
    """CREAK's true claims: few are of one entity alone, and no new text is a claim of the data."""
    rows = [json.loads(line) for line in (real_data / "creak" / "dev.json").read_text(encoding="utf-8").splitlines()]
    claims = [row["sentence"] for row in rows if row["label"] == "true"]
    pairs = pl.DataFrame({"id": [str(place) for place in range(len(claims))], "anchor": claims, "positive": claims})
    made = negforge.run("generate perturb.replace-entity", pairs, num_negatives=4).kept
    assert made.height >= 30
    assert not {*made["negative"]} & {row["sentence"] for row in rows}
    assert made.select("source_id", "negative").is_unique().all()

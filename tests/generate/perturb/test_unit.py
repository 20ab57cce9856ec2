"""One unit of a text changed: which ones, to what, and every reason to leave one alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from negforge import units
from negforge.cli import app
from negforge.contract import Edit, Refusal
from negforge.generate.perturb.unit import generate
from negforge.records import Pairs
from negforge.rng import Rng

PARTS = (
    "5 km|5 miles|12 kg|3 cups|20 \u00b0C|5-mile|5 feet 6 inches|30 miles per hour|5 mg/kg|1 km|0 m|about 5 miles|2 GB|5 years|5%|$5|5 cents|"
    "5 and 10 km|5-10 km|at least 5 km|Figure 5 m|5m|per day|a week|ago|is|weighs|not|if|?|.|,|and|of|the|There are|\U0001f600|e\u0301|\u05d0|\x07|\u0665 km"
)
TEXTS = st.one_of(st.lists(st.sampled_from(PARTS.split("|")), max_size=9).map(" ".join), st.text())


def batch(texts: Iterable[str], ids: Iterable[str] | None = None) -> Pairs:
    """Pairs of the texts, with ids from 0 unless given."""
    rows = list(texts)
    names = [str(place) for place in range(len(rows))] if ids is None else list(ids)
    return Pairs(pl.DataFrame({"id": names, "positive": rows}, schema={"id": pl.String, "positive": pl.String}))


def run(texts: Iterable[str], *, seed: int = 0, num_negatives: int = 4, **options: Any) -> list[Edit | Refusal]:
    """What the operator yields for the texts."""
    return list(generate(batch(texts), Rng(seed, "generate perturb.unit"), num_negatives=num_negatives, **options))


def news(text: str, **options: Any) -> set[tuple[str, str]]:
    """All that may change in a text, over seeds: what stands there and what it may become."""
    made = [one for seed in range(20) for one in run([text], seed=seed, num_negatives=20, **options)]
    return {(text[one.start : one.end], one.new) for one in made if isinstance(one, Edit)}


def apply(edit: Edit, text: str) -> str:
    """The text with the edit."""
    return text[: edit.start] + edit.new + text[edit.end :]


def check_laws(text: str, made: list[Edit | Refusal]) -> None:
    """What holds for everything that one text gives."""
    assert len(made) == 1 or not any(isinstance(one, Refusal) for one in made)
    edits = [one for one in made if isinstance(one, Edit)]
    assert len({(one.start, one.new) for one in edits}) == len(edits)
    for one in edits:
        old = text[one.start : one.end]
        changed = apply(one, text)
        assert apply(Edit(one.row_id, one.start, one.start + len(one.new), old), changed) == text
        before, after = (units.unit_at(f"5 {spelt}", 1) for spelt in (old, one.new))
        assert before is not None
        assert after is not None
        assert before.unit.dimension == after.unit.dimension
        assert before.form == after.form or {*after.unit.singulars} & {*after.unit.plurals}  # `5 horsepower`
        assert before.unit.dimension == "temperature" or units.apart(Fraction(5), before.unit, after.unit) > Fraction(1, 10)


@pytest.mark.parametrize(
    ("text", "old", "fit"),
    [
        ("The road is 5 km long.", "km", {"mi", "m", "ft", "yd", "nautical mile"}),
        ("The road is 5 kilometres long.", "kilometres", {"miles", "metres", "feet", "yards", "nautical miles"}),
        ("He weighs 70 kg.", "kg", {"lb", "g", "oz"}),
        ("He weighs 70 Kilograms.", "", set()),
        ("It was 20 \u00b0C outside.", "\u00b0C", {"\u00b0F"}),
        ("It was 20 degrees Celsius outside.", "degrees Celsius", {"degrees Fahrenheit"}),
        (
            "A 12-inch ruler was sold.",
            "inch",
            {"foot", "centimeter", "yard", "meter", "millimeter", "mile", "nautical mile", "kilometer", "micrometer"},
        ),
        ("The disk has 2 GB of memory.", "GB", {"MB", "TB", "kB", "KiB", "MiB"}),
        ("Hun kj\u00f8pte 5 kg av det.", "kg", {"lb", "g", "oz"}),
    ],
)
def test_the_unit_becomes_another_of_its_kind(text: str, old: str, fit: set[str]) -> None:
    """Words stay words in their spelling and number, symbols stay symbols."""
    made = news(text)
    assert {one for one, _ in made} <= {old}
    assert bool(made) == bool(fit)
    assert {new for _, new in made} <= fit


def test_the_amount_changes_by_a_tenth_and_by_half_where_it_is_hedged() -> None:
    """A yard is not far enough from a metre, nor a kilometre from a hedged mile."""
    assert "yards" not in {new for _, new in news("The pool is 50 meters long.")}
    assert "kilometers" in {new for _, new in news("The road is 5 miles long.")}
    assert "kilometers" not in {new for _, new in news("The road is about 5 miles long.")}
    assert "liters" not in {new for _, new in news("The jug holds 5 quarts of milk.")}
    assert "kilocalories" not in {new for _, new in news("The meal had 400 calories in it.")}


def test_of_what_there_is_only_more_is_said() -> None:
    """Where there are five gallons there are also five quarts."""
    made = {new for _, new in news("There are 5 gallons of milk.")}
    assert made.isdisjoint({"quarts", "pints", "cups", "liters"})
    assert "cubic meters" in made


def test_a_nearer_unit_comes_before_a_farther_and_the_usual_before_the_rare() -> None:
    """The first is one of the three nearest in everyday use."""
    first = {
        one.new for seed in range(40) for one in run(["The road is 5 miles long."], seed=seed, num_negatives=1) if isinstance(one, Edit)
    }
    assert first == {"kilometers", "meters", "yards"}


REFUSED = {
    "percent": "It rose by 5% then.|It rose 5 percent in all.",
    "currency": "He has 5 dollars.|It cost 50 cents.|He got 5 euros.",
    "loose": "He ate 5 bars of chocolate.|A bee has 6 feet and wings.|He paid 5 pounds to him.|She mowed 5 yards with it.|It lost 5 bits.",
    "rate": "He walks 5 km per day.|He walks 5 km a day.|The dose was 5 mg every week.|He drinks 3 cups of it each morning.",
    "compound": "He is 5 feet 6 inches tall.|It took 2 hours and 30 minutes.",
    "list": "They ran 5 and 10 km.|He has sides of 4, 5 and 6 inches then.",
    "relative": "He died 5 years ago.|In 5 years he was old.",
    "name": "He saw 8 Miles, the film.|She won the 100-meter dash.",
    "repeated": "It is 1,000 m long, then 1 km.|It is 8 km (5 miles) long.",
    "range": "It is 5-10 km away.|It takes 5 to 7 minutes.",
    "bound": "It has over 100 acres.|It is at least 5 km.",
    "question": "Is it 5 km?",
    "conditional": "If it is 5 km long, run.",
    "modal": "It may hold 5 gallons.",
    "negated": "It is not 5 km long.",
    "condition": "He slept for 5 hours.",
    "singular": "It is 1 km long.",
    "zero": "It is 0 km long.",
    "code": "It is 007 km long.",
    "no-value": "There are 5 tonnes of it.",
}


@pytest.mark.parametrize(("reason", "text"), [(reason, text.strip()) for reason, texts in REFUSED.items() for text in texts.split("|")])
def test_a_unit_is_left_alone_for_a_reason(reason: str, text: str) -> None:
    """Each kind of quantity that might stay true, or is none, is refused by the name of its kind."""
    made = run([text])
    assert [one for one in made if isinstance(one, Edit)] == []
    assert [one.reason for one in made if isinstance(one, Refusal)] == [reason]


def test_a_row_without_a_unit_is_passed_over() -> None:
    """The runner calls such rows `no-site`."""
    assert run(["", "He has 5 dogs.", "tons of sand", "five miles", "5m people", "He went 5 in the row.", "\u0665 km"]) == []


def test_protect_spares_what_it_overlaps() -> None:
    """A pattern of the caller protects quantities."""
    text = "The road is 5 miles long and 12 feet wide."
    assert {old for old, _ in news(text, protect="miles")} == {"feet"}
    assert [one.reason for one in run([text], protect="[0-9]") if isinstance(one, Refusal)] == ["protected"]


def test_several_sites_come_by_turns() -> None:
    """The first unit of each quantity comes before the second of any."""
    text = "The road is 5 miles long, the lorry weighs 9 kg and the tank holds 30 gallons of it."
    for seed in range(9):
        starts = [edit.start for edit in run([text], num_negatives=6, seed=seed) if isinstance(edit, Edit)]
        assert len(starts) == 6
        assert len({*starts[:3]}) == len({*starts[3:]}) == 3


@given(TEXTS)
@example("5 km " * 300)
@example("5" * 3000 + " km")
def test_no_text_breaks_it(text: str) -> None:
    """Whatever the text, edits lie in it, are undone by the reverse, and name another unit of the same kind."""
    check_laws(text, run([text], num_negatives=3))
    check_laws(text, run([text], language="de", protect="a|7"))


@given(st.lists(TEXTS, max_size=5), st.integers(0, 9), st.randoms(use_true_random=False))
def test_rows_do_not_depend_on_their_neighbours(texts: list[str], seed: int, random: Any) -> None:
    """Batches of one, and any order, give the same for each row id."""
    ids = [f"row {place}" for place in range(len(texts))]
    rng = Rng(seed, "generate perturb.unit")
    together = list(generate(batch(texts, ids), rng))
    assert [one for text, name in zip(texts, ids, strict=True) for one in generate(batch([text], [name]), rng)] == together
    order = list(range(len(texts)))
    random.shuffle(order)
    mixed = generate(batch([texts[place] for place in order], [ids[place] for place in order]), rng)
    assert sorted(mixed) == sorted(together)


def test_a_megabyte_is_read_in_time() -> None:
    """A long cell takes no more than its length."""
    assert len(run(["It rained and rained and the river rose. " * 25_000 + "The road is 5 miles long."])) == 4


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr."""
    path = tmp_path / "pairs.jsonl"
    texts = ["The road is 5 km long.", "He walks 5 km a day.", "No number."]
    path.write_text("".join(json.dumps({"anchor": text, "positive": text}) + "\n" for text in texts), encoding="utf-8")
    result = CliRunner().invoke(app, ["generate", "perturb.unit", str(path), "--to", "jsonl"])
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1
    assert "asked 3, emitted 1" in result.stderr
    assert "rate 1" in result.stderr


def test_real_texts_keep_the_laws(real_data: Path) -> None:
    """On word problems every edit is lawful, and a fair share of the texts has one."""
    path = real_data / "gsm8k" / "train.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there; set NEGFORGE_TEST_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["question"] for line in file][:1500]
    made: dict[str, list[Edit | Refusal]] = {}
    for one in run(texts):
        made.setdefault(one.row_id, []).append(one)
    for place, text in enumerate(texts):
        check_laws(text, made.get(str(place), []))
    assert sum(isinstance(found[0], Edit) for found in made.values()) >= 0.1 * len(texts)

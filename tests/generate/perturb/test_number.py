"""One number of a text changed: which ones, to what, and every reason to leave one alone."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from negforge import quantities
from negforge.contract import Edit, Refusal
from negforge.generate.perturb.number import generate
from negforge.records import Pairs
from negforge.rng import Rng

NUMBER = re.compile(r"[0-9]+(?:[.,\u00b7'\u2019\u00a0\u202f\u2009][0-9]+| [0-9]{3}(?![0-9]))*")
WRITTEN = (
    "0 1 2 5 7 12 20 37 100 1,200 10 000 1.234,50 3.14 0.05 .5 007 1945 1234567 9.9 1,00,000 55\u00b77 <<4*5=20>>20 10(9)/L "
    "$5 5$ 50% 5 % -5 \u22125 ~40 \u00b13 95% CI p=0.05 5:30 5/6 3:1 5-7 5\u20137 2020-05-06 v1.2 IL-6 p53 5th 1990s [12] (12) "
    "about at least over or more of per if not can some who exactly there are has sold five twenty two and to in the "
    "Figure page years km May mg/kg 12-page 7-day-old \u0664\u0665 \uff11\uff12 5\u00b2 \u00bd5 5\ufe0f\u20e3 5\u0301 \U0001f600 "
    "\u200b \u00e9t\u00e9 \u732b20\u5339 \u0130"
)
GLUE = st.sampled_from([" ", " ", " ", "", ", ", ". ", "? ", "\n", "-", "/", ":", "=", "(", ")", "\u00a0", "\u2019", "%"])
TEXTS = st.one_of(
    st.lists(st.tuples(st.sampled_from(WRITTEN.split()), GLUE), max_size=14).map(lambda parts: "".join(a + b for a, b in parts)),
    st.text(st.sampled_from("0123456789.,'- %$()x\u00a0\u2009\u00b7aZ\n?")),
    st.text(),
)


def batch(texts: Iterable[str], ids: Iterable[str] | None = None) -> Pairs:
    """Pairs of the texts, with ids from 0 unless given."""
    rows = list(texts)
    names = [str(place) for place in range(len(rows))] if ids is None else list(ids)
    return Pairs(pl.DataFrame({"id": names, "positive": rows}, schema={"id": pl.String, "positive": pl.String}))


def run(texts: Iterable[str], *, seed: int = 0, num_negatives: int = 4, **options: Any) -> list[Edit | Refusal]:
    """What the operator yields for the texts."""
    return list(generate(batch(texts), Rng(seed, "generate perturb.number"), num_negatives=num_negatives, **options))


def edits(text: str, **options: Any) -> list[Edit]:
    """The edits of one text."""
    return [one for one in run([text], **options) if isinstance(one, Edit)]


def refusal(text: str, **options: Any) -> str:
    """The reason why one text gives nothing, or nothing if it gives edits."""
    made = run([text], **options)
    assert len(made) == 1 or not any(isinstance(one, Refusal) for one in made)
    return made[0].reason if made and isinstance(made[0], Refusal) else ""


def news(text: str, old: str, **options: Any) -> set[str]:
    """All that one number of a text may become, over seeds."""
    found = {(text[one.start : one.end], one.new) for seed in range(30) for one in edits(text, seed=seed, **options)}
    assert {site for site, _ in found} <= {old}
    return {new for _, new in found}


def apply(edit: Edit, text: str) -> str:
    """The text with the edit."""
    return text[: edit.start] + edit.new + text[edit.end :]


def digits(written: str) -> int:
    """The digits of a number as one whole number: with as many decimals, digits compare as values do."""
    return int(re.sub("[^0-9]", "", written))


def check_laws(text: str, made: list[Edit | Refusal]) -> None:
    """What holds for everything that one text gives."""
    assert len(made) == 1 or not any(isinstance(one, Refusal) for one in made)
    assert len({(one.start, one.new) for one in made if isinstance(one, Edit)}) == len(made) or len(made) == 1
    for one in made:
        if isinstance(one, Refusal):
            assert one.value in text
            assert re.search("[0-9]", one.value)
            continue
        old = text[one.start : one.end]
        assert NUMBER.fullmatch(old)
        assert NUMBER.fullmatch(one.new)
        assert not text[one.end : one.end + 1].isdecimal()
        assert not text[max(0, one.start - 1) : one.start].isdecimal()
        changed = apply(one, text)
        assert changed[one.start : one.start + len(one.new)] == one.new
        assert apply(Edit(one.row_id, one.start, one.start + len(one.new), old), changed) == text
        assert 10 * abs(digits(one.new) - digits(old)) >= digits(old) > 0
        assert 10 * digits(one.new) >= 3 * digits(old)
        assert 2 * digits(one.new) <= 5 * digits(old)
        assert shape(one.new) == shape(old) or shape(old).endswith(shape(one.new)) or shape(one.new).endswith(shape(old))
        assert one.new not in {match[0] for match in NUMBER.finditer(text)}
        assert one.new not in ("0", "1")


def shape(written: str) -> str:
    """A number with its digits hidden."""
    return re.sub("[0-9]", "d", written)


# -- what is changed, and to what --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("She sold 24 apples.", "24"),
        ("She sold 24 apples in May and kept none.", "24"),
        ("50% of them came.", "50"),
        ("About 50 percent of them came.", "50"),
        ("Rent is $1,200 a month.", "1,200"),
        ("The rent is 950\u20ac a month.", "950"),
        ("It weighs 0.85 kg.", "0.85"),
        ("Temperature was -5.5 degrees.", "5.5"),
        ("A 12-page book was sold.", "12"),
        ("The sample (n = 48) was small.", "48"),
        ("He paid (5%) more.", "5"),
        ("Hun kj\u00f8pte 24 epler.", "24"),
        ("24", "24"),
        ("72.", "72"),
        ("There are exactly 4 dogs.", "4"),
        ("He drove 30 miles per hour.", "30"),
        ("The total is 12 + 8 = 20 apples.", "20"),
        ("IL-6 rose in 24 patients.", "24"),
        ("Is it so? She sold 24 apples.", "24"),
        ("If so, they left. She sold 24 apples.", "24"),
        ("When it rained, she sold 24 umbrellas.", "24"),
        ("She sold 24 apples and did not stop.", "24"),
    ],
)
def test_a_plain_quantity_is_changed(text: str, old: str) -> None:
    """A number that is a quantity and is asserted gives edits of itself."""
    assert news(text, old)


@pytest.mark.parametrize(
    ("text", "old", "pattern"),
    [
        ("Rent is $1,200 a month.", "1,200", r"[0-9],[0-9]{3}"),
        ("The town has 1,234,567 people.", "1,234,567", r"([0-9],)?[0-9]{3},[0-9]{3}"),
        ("The town has 1\u00a0234\u00a0567 people.", "1\u00a0234\u00a0567", "([0-9]\u00a0)?[0-9]{3}\u00a0[0-9]{3}"),
        ("The town has 25 000 people.", "25 000", r"[0-9]{2} 000"),
        ("It costs 1.234,50 kr today.", "1.234,50", r"([0-9]\.)?[0-9]{3},[0-9]0"),
        ("It measures 3,14 m.", "3,14", r"[0-9],[0-9][1-9]"),
        ("It measures 1.234 m.", "1.234", r"[1-9]\.[0-9]{2}[1-9]"),
        ("A mean of 55\u00b77 months.", "55\u00b77", "[0-9]{2,3}\u00b7[1-9]"),
        ("It holds 1,00,000 litres.", "1,00,000", r"([1-9],)?[0-9]{2},000"),
        ("It weighs 0.85 kg.", "0.85", r"0\.[0-9][1-9]"),
    ],
)
def test_the_spelling_is_kept(text: str, old: str, pattern: str) -> None:
    """Separators, decimal mark, decimals and roundness stay as they were."""
    made = news(text, old)
    assert made
    assert all(re.fullmatch(pattern, new) for new in made), made


@pytest.mark.parametrize(
    ("text", "old", "low", "high"),
    [
        ("She sold 24 apples.", "24", 12, 48),
        ("She sold 2 apples.", "2", 3, 4),
        ("About 500 people came.", "500", 150, 999),
        ("Roughly 40 people came.", "40", 12, 100),
        ("We counted ~40 people.", "40", 12, 100),
        ("90% of them came.", "90", 45, 99),
        ("She is 60 years old.", "60", 30, 99),
        ("The town has 800 houses.", "800", 400, 999),
        ("There are 4 dogs here.", "4", 5, 8),
        ("4 dogs are here.", "4", 5, 8),
        ("There are exactly 4 dogs here.", "4", 2, 8),
    ],
)
def test_new_values_are_plausible(text: str, old: str, low: int, high: int) -> None:
    """Values lie between half and twice the old one, below 100 for percentages and ages, above it for a bare count."""
    made = {digits(new) for new in news(text, old)}
    assert made
    assert low <= min(made) <= max(made) <= high


@pytest.mark.parametrize("text", ["About 500 people came.", "Nearly 90% of 37 left.", "There were \u2248 26 of them."])
def test_a_hedged_number_changes_by_half_at_least(text: str) -> None:
    """A change of a tenth would leave `about 500` true."""
    for edit in edits(text):
        old, new = digits(text[edit.start : edit.end]), digits(edit.new)
        assert 2 * abs(new - old) >= old or old == 37


def test_the_value_is_none_that_the_text_has() -> None:
    """A new value stands nowhere else in the text, neither in digits nor in words."""
    assert news("She sold 4 apples, five pears, then IL-6, eight in all, seven of them and three more.", "4") == {"2"}
    assert news("She sold 4 apples of 8 kinds (type 7).", "4", protect="8") == {"2", "3", "5", "6"}


def test_up_and_down() -> None:
    """The direction is the caller's; for captions only more is surely wrong."""
    assert {digits(new) > 24 for new in news("She sold 24 apples.", "24")} == {True, False}
    assert {digits(new) > 24 for new in news("She sold 24 apples.", "24", direction="up")} == {True}
    assert {digits(new) > 24 for new in news("She sold 24 apples.", "24", direction="down")} == {False}
    assert {digits(new) > 4 for new in news("There are 4 dogs here.", "4", direction="down")} == {False}


def test_a_wider_least_change_gives_no_nearer_value() -> None:
    """With `min_change` at 0.4 nothing nearer than two fifths is left."""
    assert all(abs(digits(new) - 50) >= 20 for new in news("She sold 50 apples.", "50", min_change=0.4))


def test_several_sites_come_by_turns() -> None:
    """The first value of each number comes before the second of any, and the first number varies with the row."""
    text = "She sold 24 apples, 36 pears and 57 plums."
    for seed in range(9):
        starts = [edit.start for edit in edits(text, num_negatives=8, seed=seed)]
        assert len(starts) == 8
        assert len(set(starts[:3])) == len(set(starts[3:6])) == 3
    assert len({edits(text, seed=seed)[0].start for seed in range(20)}) == 3


def test_fewer_slots_give_the_first_of_more() -> None:
    """What is wanted decides where the list ends, not what is in it."""
    text = "She sold 24 apples, 36 pears and 57 plums for $90 to 40% of us."
    most = edits(text, num_negatives=20)
    assert most == edits(text, num_negatives=20)
    for wanted in range(1, 9):
        few = edits(text, num_negatives=wanted)
        assert few == most[:wanted]


# -- what is refused ---------------------------------------------------------------------------------------------------

REFUSED = {
    "code": """The agent 007 came.|It runs 1.2.3 now.|It runs v1.2.3 now.|IL-6 rose.|HbA1c rose.|Then p53 rose.|CD4+ rose.
        |The COVID-19 outbreak grew.|A 12-lead ECG was made.|Call +47 22 33 44 55 now.|Call 555-1234 now.|Its id is 1234567.
        |See http://a.example/b?id=20 for it.|Ask for http://a.example/20/x today.|Mail to 20@x.example now.|He ran 40m.
        |The file is a_20.txt here.|Sequences E2f-1, -2, and -3 differ.|It is .5 of it.|It is 14, 400 pages.""",
    "name": """Windows 95 was sold.|A Boeing 747 landed.|They liked Apollo 13 most.|They heard 3 Doors Down.|20 is a film.
        |He lives at the end of 12 High Street.""",
    "label": """See page 5 for it.|See Figure 3 for it.|Patients with type 2 diabetes improved.|It is in phase 3 now.
        |Toll-like receptor 4 was found.|They met pathogens 16.|Human kidney 293 cells grew.|He took bus number 41 home.
        |The factors 2 and 3 matter.|He sat in room 12.|They used human collagen 4 here.""",
    "citation": """As shown before [12], it works.|As shown (12), it works.|As shown before [3,4], it works.
        |It was shown (London) 246 (1973) first.""",
    "list-marker": "1. The dog ran.|12) The dog ran.|The aims are 2) to run and more.",
    "date": """He was born on 5 May.|He was born on May 5.|On 5 mai it rained.|It happened in 1945.|The 1990s were fun.
        |The 90's were fun.|It was on 2020-05-06.|It was on 5/6/2020.|It was 12.03.2024.|El 5 de mayo de madrugada.""",
    "time": "They met at 5:30 then.|They met at 5 pm.|They met at 5 o'clock.|The shop opens by 9am.",
    "ordinal": "He came 5th.|Den 20. mai er en dag.|On his 5 th day he left.|In the 20 century it was so.",
    "exponent": "It is 10^5 wide.|It is 10^-5 wide.",
    "range": """It takes 10-20 minutes.|It takes 10\u201320 minutes.|It takes 5 to 7 minutes.|It takes between 5 and 7 minutes.
        |It takes 5 mg to 7 mg.|It rose 10.9 \u00b1 0.6 points.|It costs $5 - $7.|She has 5 or 6 cows.""",
    "ratio": """He ate 1/2 of it.|The odds were 3:1 then.|3 of 5 doctors agreed.|7 out of 9 doctors agreed.
        |It hits 1 in 20 people.|There were 5 per 100 people.|He earns 5/hour.""",
    "operand": "He works 3 x 4 hours.|Then 12 + 8 apples remain.|He has 3 * 4 cows.|Then 12 \u00d7 8 remain.",
    "statistic": """The difference was clear (p = 0.03).|It was clear, P=0.03.|It was wide (95% CI of it).|It was CI, 1.4 wide.
        |With a 95% confidence interval.""",
    "bound": """It has over 100 rooms.|She has at least 20 cows.|She has up to 20 cows.|She has fewer than 20 cows.
        |She has 20 or more cows.|She has 20 cows or more.|She has 20+ cows.|It was <20 then.|It was \u2265 20 then.
        |She has 20 cows at most.|Within 20 miles.|She has as many as 20 cows.|It takes a minimum of 20 cows.
        |Sie hat mindestens 20.|Il y a plus de 20.""",
    "rank": "The first 20 people won.|It is in the top 20 of them.|The 20 largest won.|Over the last 20 years.",
    "repeated": """She sold 5 apples and 5 pears.|She sold 5 apples and five pears.|She sold 12 apples, a dozen.
        |She sold 25 apples, twenty-five.|She sold 5.0 apples, then 5 pears.|It is 1,000 m, then 1000 m.
        |It cost 5,000 kr, five thousand.|It cost $0.05 each, .05 each.|Both have 2 cows.""",
    "question": "Has she 20 cows?|Who sold 20 cows?",
    "conditional": "If she has 20 cows, she is rich.|She is rich unless she has 20 cows.|Suppose she has 20 cows.",
    "modal": "It can hold 20 people.|She may have 20 cows.|Perhaps she has 20 cows.|It could take 20 days.",
    "negated": """She does not have 20 cows.|She doesn't have 20 cows.|She doesn\u2019t have 20 cows.|Never had she 20 cows.
        |Without 20 cows she is poor.|Nobody has 20 cows.|Hun har ikke 20 kyr.""",
    "quantified": "Some boxes hold 20 pens.|She often has 20 cows.|Many have 20 cows.",
    "example": "It holds things like 20 cows.|It holds many, such as 20 cows.|It holds e.g. 20 cows.",
    "condition": """It died after 5 days.|It was so at 37 degrees.|It was so by 5 weeks.|He slept for 5 hours.
        |Those who own 3 cars pay.|When she has 20 cows she is rich.|A 65-year-old man fell.|Children aged 5 fell.
        |The drug (10 mg/kg) helped.|The dose of 20 mg helped.|Then 5 days after surgery he left.
        |It has a 5-year survival of much.|The 20 mg group improved.""",
    "singular": "She has 1 dog.|There is exactly 1 dog.|It is 1.0 wide.",
    "zero": "She has 0 dogs.|It is 0.0 wide.",
}


@pytest.mark.parametrize(
    ("reason", "text"),
    [(reason, text.strip()) for reason, texts in REFUSED.items() for text in texts.split("|")],
)
def test_a_number_is_left_alone_for_a_reason(reason: str, text: str) -> None:
    """Each kind of number that might stay true, or is no quantity, is refused by the name of its kind."""
    made = run([text])
    assert [one for one in made if isinstance(one, Edit)] == []
    assert refusal(text) == reason


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("99% of them came.", {"direction": "up"}),
        ("She sold 2 apples.", {"direction": "down"}),
        ("4 dogs, five cats, six cows, seven hens and eight ants ran.", {}),
    ],
)
def test_a_quantity_without_a_fitting_value_is_refused(text: str, options: dict[str, Any]) -> None:
    """`no-value` says that the number would do, but that nothing can stand in its place."""
    assert refusal(text, **options) == "no-value"


def test_the_reason_is_that_of_the_first_number() -> None:
    """A row is refused once, with its first number as the value."""
    assert run(["On page 12 there is 1 dog."]) == [Refusal("0", "label", "12")]


def test_a_row_without_digits_is_passed_over() -> None:
    """The runner calls such rows `no-site`; digits of other scripts are none of ours."""
    assert run(["No digits.", "", "\u0664\u0665 dogs", "\uff11\uff12 dogs", "twenty dogs"]) == []


def test_protect_spares_what_it_overlaps() -> None:
    """A pattern of the caller protects numbers, with their words around them if it names those."""
    text = "She sold 24 apples and 36 pears."
    assert {edit.start for edit in edits(text, protect="apples")} == {9, 23}
    assert {edit.start for edit in edits(text, protect="24 apples")} == {23}
    assert {edit.start for edit in edits(text, protect="^.{10}")} == {23}
    assert refusal(text, protect="[0-9]") == "protected"
    assert refusal("Hun har minst 24 epler.", protect="minst [0-9]+") == "protected"


@pytest.mark.parametrize(
    ("text", "language", "reason"),
    [
        ("Die Stadt hat 20 Hunde.", "de", ""),
        ("Die Stadt hat 20 Hunde.", "en", "label"),
        ("Am 3. Platz stand er.", "de", "ordinal"),
        ("Hun fikk 20 epler.", "nb", ""),
        ("Elle a 20 chiens.", "fr", ""),
        ("Elle a 20 chiens.", "en", "name"),
        ("\u0423 \u043d\u0435\u0433\u043e 20 \u0441\u043e\u0431\u0430\u043a.", "en", ""),
    ],
)
def test_the_language_says_what_stands_around_numbers(text: str, language: str, reason: str) -> None:
    """Only English nouns make labels, and in German a capital after a number is a noun."""
    assert refusal(text, language=language) == reason


# -- laws --------------------------------------------------------------------------------------------------------------


@given(TEXTS)
@example("1 x 10(-4")
@example("5\ufe0f\u20e3 5\u0301 \u00bd5 5\u00b2")
@example("1" * 5000)
@example("5 " * 200)
@example("$")
@example("0,0.0'0")
def test_no_text_breaks_it(text: str) -> None:
    """Whatever the text, edits replace whole numbers by others a tenth away, undoing one gives the text, and no number is 1."""
    check_laws(text, run([text], num_negatives=2))
    check_laws(text, run([text], direction="up", min_change=0.5, language="de", protect="a|5"))


@given(st.lists(TEXTS, max_size=6), st.integers(0, 9), st.randoms(use_true_random=False))
def test_rows_do_not_depend_on_their_neighbours(texts: list[str], seed: int, random: Any) -> None:
    """Batches of one, and any order, give the same for each row id."""
    ids = [f"row {place}" for place in range(len(texts))]
    rng = Rng(seed, "generate perturb.number")
    together = list(generate(batch(texts, ids), rng))
    alone = [one for text, name in zip(texts, ids, strict=True) for one in generate(batch([text], [name]), rng)]
    assert alone == together
    order = list(range(len(texts)))
    random.shuffle(order)
    mixed = generate(batch([texts[place] for place in order], [ids[place] for place in order]), rng)
    assert sorted(mixed) == sorted(together)


def test_seeds_and_rows_differ() -> None:
    """One seed gives the same again; another seed, or the same text in another row, gives other values."""
    text = "She sold 2,400 apples and 37 pears."
    assert edits(text, seed=3) == edits(text, seed=3)
    assert len({tuple(edits(text, seed=seed)) for seed in range(10)}) > 5
    rows: dict[str, set[tuple[int, str]]] = {name: set() for name in "0123456789"}
    for one in run([text] * 10):
        assert isinstance(one, Edit)
        rows[one.row_id].add((one.start, one.new))
    assert len({frozenset(values) for values in rows.values()}) > 5


# -- real texts --------------------------------------------------------------------------------------------------------


def lines(path: Path) -> list[dict[str, Any]]:
    """The records of a JSONL file, which may be gzipped."""
    if not path.exists():
        pytest.skip(f"{path} is not there; set NEGFORGE_TEST_DATA")
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize(
    ("name", "column", "least"),
    [
        ("gsm8k/train.jsonl.gz", "question", 0.7),
        ("gsm8k/train.jsonl.gz", "answer", 0.03),
        ("scifact/corpus.jsonl.gz", "text", 0.25),
    ],
)
def test_real_texts_keep_the_laws(real_data: Path, name: str, column: str, least: float) -> None:
    """On word problems, their solutions and abstracts every edit is lawful, and a fair share of the texts has one."""
    texts = [row[column] for row in lines(real_data / name)[:1500]]
    made: dict[str, list[Edit | Refusal]] = {}
    for one in run(texts):
        made.setdefault(one.row_id, []).append(one)
    for place, text in enumerate(texts):
        assert (str(place) in made) == bool(re.search("[0-9]", text))
        check_laws(text, made.get(str(place), []))
    assert sum(isinstance(found[0], Edit) for found in made.values()) >= least * len(texts)


def test_counting_captions_are_edited_at_their_count(real_data: Path) -> None:
    """In VALSE, where the count of a caption is given, the edit replaces that count, and only ones and noughts are refused."""
    path = real_data / "valse" / "counting-small-quant.json.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there; set NEGFORGE_TEST_DATA")
    rows = list(json.loads(gzip.decompress(path.read_bytes())).values())
    rows = [row for row in rows if re.match(r"There (?:is|are) exactly [0-9]+ ", row["caption"])]
    made = run([row["caption"] for row in rows])
    for one in made:
        row = rows[int(one.row_id)]
        if isinstance(one, Refusal):
            odd = one.reason in ("modal", "name", "rank", "time", "condition", "bound", "repeated")
            assert odd or row["classes"] < 2, row["caption"]
        else:
            assert row["caption"][one.start : one.end] == str(row["classes"])
    sure = {place for place, row in enumerate(rows) if row["classes"] > 1}
    edited = {int(one.row_id) for one in made if isinstance(one, Edit)}
    assert len(edited) >= 0.9 * len(sure)


NEIGHBOURS = st.lists(
    st.sampled_from(
        "there_are,dose_of,such_as,up_to,per_cent,the,is,are,sold,about,mg,metres,weeks_ago,weeks,groups,mg_groups,may,in,type,kinases,"
        "exactly,a,Boeing,only,not,people,pm,largest,st,dollars,of,or_more,twenty,=,if,deep.,tons.,ends.,(each,x".replace("_", " ").split(
            ","
        )
    ),
    max_size=2,
)


@settings(max_examples=400)
@given(NEIGHBOURS, st.sampled_from("5 12 1,000 2.5 100 1987 007 1".split()), NEIGHBOURS, st.booleans())
def test_a_number_between_plain_words_is_judged_as_by_a_closer_look(before: list[str], number: str, after: list[str], two: bool) -> None:
    """What single words make of a number is remembered; nothing else comes of that."""
    text = " ".join(["Tom", *before, number, *after, *(["and", "7", "more"] if two else [])])
    for language in ("en", "de"):
        quick = run([text], language=language)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(quantities, "_plainly", lambda *_: None)
            assert run([text], language=language) == quick

"""The same said otherwise at one place: where, how, and why not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge import registry
from negforge.cli import app
from negforge.contract import Edit, Refusal
from negforge.generate.perturb.paraphrase import generate
from negforge.records import Negatives, Pairs
from negforge.rng import Rng

PARTS = (
    "5 km|12 men|twelve men|two hundred|24 apples|6 May 2020|May 6, 2020|2020-05-06|isn't|is not|do not|can't|cannot|they're|they are|A man and a "
    "woman are|the cat and the dog|Ann and Ben are|5 feet 6 inches|5 years old|5-10 km|Isn't it|?|.|,|and|of|respectively|\U0001f600|e\u0301|\u05d0|\x07"
)
TEXTS = st.one_of(st.lists(st.sampled_from(PARTS.split("|")), max_size=8).map(" ".join), st.text())
equivalent = registry.find("verify", "equivalent").function


def batch(texts: Iterable[str], ids: Iterable[str] | None = None) -> Pairs:
    """Pairs of the texts, with ids from 0 unless given."""
    rows = list(texts)
    names = [str(place) for place in range(len(rows))] if ids is None else list(ids)
    return Pairs(pl.DataFrame({"id": names, "positive": rows}, schema={"id": pl.String, "positive": pl.String}))


def run(texts: Iterable[str], *, seed: int = 0, num_negatives: int = 9, **options: Any) -> list[Edit | Refusal]:
    """What the operator yields for the texts."""
    return list(generate(batch(texts), Rng(seed, "generate perturb.paraphrase"), num_negatives=num_negatives, **options))


def apply(edit: Edit, text: str) -> str:
    """The text with the edit."""
    return text[: edit.start] + edit.new + text[edit.end :]


def others(text: str, **options: Any) -> set[str]:
    """Every text that a text may become."""
    return {apply(one, text) for one in run([text], **options) if isinstance(one, Edit)}


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("She sold 12 apples.", "She sold twelve apples."),
        ("24 apples were sold.", "Twenty-four apples were sold."),
        ("She sold twenty-four apples.", "She sold 24 apples."),
        ("It is a seven-year plan.", "It is a 7-year plan."),
        ("She did not sell 12 apples?", "She did not sell twelve apples?"),
        ("The road is 5 km long.", "The road is 5000 m long."),
        ("The road is 5000 m long.", "The road is 5 km long."),
        ("The plank is 6 feet long.", "The plank is 2 yards long."),
        ("It took 2 hours.", "It took 120 minutes."),
        ("It took 60 minutes.", "It took 1 hour."),
        ("A 2-hour film was shown.", "A 120-minute film was shown."),
        ("It holds at least 3 gallons of milk.", "It holds at least 12 quarts of milk."),
        ("He died on 6 May 2020 in Rome.", "He died on May 6, 2020 in Rome."),
        ("He died on May 6, 2020.", "He died on 6 May 2020."),
        ("He died on 2020-05-06.", "He died on 6 May 2020."),
        ("It isn't known.", "It is not known."),
        ("It is not known.", "It isn't known."),
        ("They won\u2019t go.", ""),
        ("They won\u2019t go there.", "They will not go there."),
        ("They cannot go there.", "They can't go there."),
        ("Don't go there.", "Do not go there."),
        ("They're late.", "They are late."),
        ("We will be late.", "We'll be late."),
        ("I'm late.", "I am late."),
        ("A man and a woman are there.", "A woman and a man are there."),
        ("It shows the cat and the dog.", "It shows the dog and the cat."),
        ("Ann and Ben were there.", "Ben and Ann were there."),
    ],
)
def test_the_same_is_said_otherwise(text: str, other: str) -> None:
    """Numbers, quantities, dates, contractions and pairs, each in the form that they have not."""
    assert other in others(text) or not other


@given(TEXTS, st.integers(0, 9))
@example("She sold 12 apples and 5 km isn't far. 6 May 2020", 0)
def test_what_can_be_proved_to_be_the_same_is(text: str, seed: int) -> None:
    """Numbers, quantities, dates and contractions are found equal by the verifier; only pairs are beyond it."""
    for one in run([text], seed=seed):
        if (
            isinstance(one, Edit)
            and " and " not in text[one.start : one.end]
            and "'" not in one.new
            and "'" not in text[one.start : one.end]
        ):
            frame = pl.DataFrame({"positive": [f"so {text} so"], "negative": [f"so {apply(one, text)} so"]})
            if text.isascii() and text.isprintable() and len(text.split()) < 12 and "inch" not in one.new:
                assert equivalent(Negatives(frame), language="en")[0] in ("positive", "unknown")


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("He died on 6 May 2020 in Rome.", "He died on May 6, 2020 in Rome."),
        ("The road is 5 km long.", "The road is 5000 m long."),
        ("It isn't known.", "It is not known."),
        ("She sold 12 apples.", "She sold twelve apples."),
        ("It took 2 hours.", "It took 120 minutes."),
        ("They're late.", "They are late."),
    ],
)
def test_the_verifier_proves_what_the_operator_writes(text: str, other: str) -> None:
    """Each kind but the pairs is proved by `verify equivalent`."""
    assert other in others(text)
    assert equivalent(Negatives(pl.DataFrame({"positive": [text], "negative": [other]})), language="en")[0] == "positive"


REFUSED = {
    "name": "He saw 8 Miles.|Windows 95 was sold.",
    "label": "See page 5 for it.",
    "range": "It is 5-10 km away.",
    "list": "They ran 5 and 10 km.",
    "compound": "He is 5 feet 6 inches tall.",
    "age": "He is 5 years old.|Aged 5 years, he fell.|She is 5 years younger.",
    "ratio": "He works 48 hours a week.|It was 5 kg each.",
    "inexact": "It was 20 \u00b0C then.|It took 11 days there.",
    "order": "The cat and the dog are black and white, respectively.",
    "attached": "The roof of the house and the garage are red.|A man and a woman with a hat sat.|Ann and Ben is a play.|The king and the queen mother sat.",
    "inverted": "Isn't it late?|Why don't they go?",
    "calendar": "It was on 2021-02-30 then.",
}


@pytest.mark.parametrize(("reason", "text"), [(reason, text.strip()) for reason, texts in REFUSED.items() for text in texts.split("|")])
def test_a_place_is_left_alone_for_a_reason(reason: str, text: str) -> None:
    """Where the other form might not say the same, the row is refused by the name of its kind."""
    made = run([text])
    assert [one for one in made if isinstance(one, Edit)] == []
    assert [one.reason for one in made if isinstance(one, Refusal)] == [reason]


@pytest.mark.parametrize(
    "text", ["", "No site.", "two hundred men", "one of them", "two thirds of it", "Ann and ben", "It is not only so.", "at 5 o'clock?"]
)
def test_a_row_without_a_place_gives_no_edit(text: str) -> None:
    """Parts of larger numbers and fixed phrases are no places."""
    assert not any(isinstance(one, Edit) for one in run([text]))


def test_protect_spares_what_it_overlaps() -> None:
    """A pattern of the caller protects places."""
    assert others("She sold 12 apples and it isn't far.", protect="12") == {"She sold 12 apples and it is not far."}
    assert [one.reason for one in run(["She sold 12 apples."], protect="[0-9]") if isinstance(one, Refusal)] == ["protected"]


@given(TEXTS)
@example("twelve " * 300)
@example("isn't " * 300)
def test_no_text_breaks_it(text: str) -> None:
    """Whatever the text, each edit is at a place of its own, changes the text, and is undone by the reverse."""
    made = run([text])
    assert len(made) == 1 or not any(isinstance(one, Refusal) for one in made)
    places = [(one.start, one.end) for one in made if isinstance(one, Edit)]
    assert len({*places}) == len(places)
    for one in made:
        if isinstance(one, Edit):
            changed = apply(one, text)
            assert changed != text
            assert apply(Edit(one.row_id, one.start, one.start + len(one.new), text[one.start : one.end]), changed) == text


@given(st.lists(TEXTS, max_size=5), st.integers(0, 9))
def test_rows_do_not_depend_on_their_neighbours(texts: list[str], seed: int) -> None:
    """Batches of one give the same for each row id."""
    ids = [f"row {place}" for place in range(len(texts))]
    rng = Rng(seed, "generate perturb.paraphrase")
    together = list(generate(batch(texts, ids), rng, num_negatives=2))
    assert [one for text, name in zip(texts, ids, strict=True) for one in generate(batch([text], [name]), rng, num_negatives=2)] == together


def test_a_megabyte_is_read_in_time() -> None:
    """A long cell takes no more than its length."""
    assert len(run(["It rained and rained so the river rose. " * 25_000 + "It took 2 hours."])) == 1


def test_rows_are_positives_and_fill_their_slots() -> None:
    """What the verifiers find right stands, labelled positive, and none is counted as vetoed."""
    texts = ["The road is 5 km long.", "She sold 12 apples.", "A man and a woman are there.", "No site."]
    made = negforge.run("generate perturb.paraphrase", pl.DataFrame({"anchor": ["a", "b", "c", "d"], "positive": texts}))
    counts = made.report.counts
    assert (counts["asked"], counts["emitted"], counts["refused"]) == (4, 3, {"no-site": 1})
    assert not sum(counts["vetoed"].values())
    assert made.kept["label"].to_list() == made.kept["initial_label"].to_list() == ["positive"] * 3
    assert made.kept["opposition"].unique().to_list() == ["neutral"]
    verdicts = dict(zip(made.kept["anchor"], made.kept["verdict_equivalent"], strict=True))
    assert verdicts == {"a": "positive", "b": "positive", "c": "unknown"}


def test_what_is_news_is_promoted_and_goes_out_beside_the_negatives_of_its_anchor() -> None:
    """With `--promote` a row is a further positive, but not where it is the positive itself after normalising: twelve is 12."""
    texts = ["The road is 5 km long.", "She sold 12 apples.", "A man and a woman are there."]
    pairs = pl.DataFrame({"anchor": ["a", "b", "c"], "positive": texts})
    made = negforge.run("generate perturb.paraphrase", pairs, promote=True)
    raised = dict(zip(made.kept["anchor"], made.kept["verdict_promoted"], strict=True))
    assert raised == {"a": "positive", "b": "unknown", "c": "positive"}
    assert made.report.counts["promoted"] == {"perturb.paraphrase": 2}
    again = negforge.run("verify equivalent", made.kept)
    assert dict(zip(again.kept["anchor"], again.kept["verdict_promoted"], strict=True)) == raised
    number = negforge.run("generate perturb.number", pl.DataFrame({"anchor": ["a"], "positive": ["The road is 7 km long."]}))
    both = pl.concat([made.kept, number.kept], how="diagonal").filter(pl.col("anchor") == "a")
    rows = negforge.run("export sentence-transformers", both).kept
    assert "The road is 5000 m long." in {*rows["positive"]}
    assert {*rows["negative"]} == {*number.kept["negative"]}


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr; `--keep-labels positive` writes a dataset."""
    path = tmp_path / "pairs.jsonl"
    texts = ["The road is 5 km long.", "No site."]
    path.write_text("".join(json.dumps({"anchor": text, "positive": text}) + "\n" for text in texts), encoding="utf-8")
    result = CliRunner().invoke(app, ["generate", "perturb.paraphrase", str(path), "--to", "jsonl"])
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1
    assert "asked 2, emitted 1" in result.stderr
    folder = tmp_path / "data"
    assert (
        CliRunner().invoke(app, ["generate", "perturb.paraphrase", str(path), "-o", str(folder), "--keep-labels", "positive"]).exit_code
        == 0
    )
    assert pl.read_parquet(folder / "data" / "v1" / "*.parquet")["negative"].to_list() == ["The road is 5000 m long."]


def test_real_texts_keep_the_laws(real_data: Path) -> None:
    """On claims about entities some texts have a place, and no edit leaves its text as it was."""
    path = real_data / "creak" / "dev.json"
    if not path.exists():
        pytest.skip(f"{path} is not there; set NEGFORGE_TEST_DATA")
    texts = [json.loads(line)["sentence"] for line in path.read_text(encoding="utf-8").splitlines()]
    made = [one for one in run(texts) if isinstance(one, Edit)]
    assert len(made) > 30
    assert all(apply(one, texts[int(one.row_id)]) != texts[int(one.row_id)] for one in made)

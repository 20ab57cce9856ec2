"""Validity of an operator on judged rows, and of a verifier on people's votes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import negforge
from negforge.auditing import audited, audited_words, found_operator, is_sample, read_sample, shipped, wilson
from negforge.contract import Declares
from negforge.errors import InputError, UsageError
from negforge.registry import find, our_operators
from negforge.rng import blake
from tests.conftest import ROOT
from tests.shell import call, good, shell

JUDGED = ROOT / "tests" / "judged"
TEXTS = ["The box holds 20 pens.", "She owns 7 boats and 3 cars.", "He ran 5 miles.", "No digit is here.", "Is it 4 o'clock?"]


def rows_of(path: Path) -> pl.DataFrame:
    """Negatives of the texts, in a file with the dropped ones beside them."""
    pairs = pl.DataFrame({"id": [f"t{at}" for at in range(len(TEXTS))], "anchor": TEXTS, "positive": TEXTS})
    negforge.run("generate perturb.number", pairs, output=path, num_negatives=2)
    return pl.read_parquet(path)


def sample(path: Path, rows: pl.DataFrame, invalid: tuple[int, ...] = (), **about: Any) -> Path:
    """A judged sample of all rows; those at these places are not valid."""
    head = {"operator": "perturb.number", "version": 1, "judge": "somebody", "date": "2026-01-01", **about}
    lines = [json.dumps(head)]
    for at, row in enumerate(rows.to_dicts()):
        note = "still true" if at in invalid else ""
        lines.append(json.dumps({"id": row["id"], "digest": blake(row["negative"])[:16], "valid": at not in invalid, "note": note}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# -- counts ------------------------------------------------------------------------------------------------------------


def test_wilsons_interval_by_hand() -> None:
    """110 of 110: z^2 / (110 + z^2) short of one; of nothing, anything; 9 of 10 as the formula gives it."""
    z2 = 1.959963984540054**2
    assert wilson(110, 110) == (round(110 / (110 + z2), 6), 1.0)
    assert wilson(0, 0) == (0.0, 1.0)
    middle, half = (0.9 + z2 / 20) / (1 + z2 / 10), z2**0.5 * (0.009 + z2 / 400) ** 0.5 / (1 + z2 / 10)
    assert wilson(9, 10) == (round(middle - half, 6), round(middle + half, 6))


@drawn(st.integers(1, 10_000), st.data())
def test_the_interval_holds_the_share_and_is_symmetric(judged: int, data: st.DataObject) -> None:
    """What is good and what is not change places with the ends."""
    some = data.draw(st.integers(0, judged))
    low, high = wilson(some, judged)
    assert 0 <= low <= some / judged + 1e-6
    assert some / judged - 1e-6 <= high <= 1
    assert wilson(judged - some, judged) == pytest.approx((1 - high, 1 - low), abs=2e-6)


def test_a_generators_rows_are_found_by_id_and_text(tmp_path: Path) -> None:
    """Of the judged rows one is gone and one has another text; the rest is counted by kind of edit, and so is what was refused."""
    rows = rows_of(tmp_path / "n.parquet")
    labels = sample(tmp_path / "l.jsonl", rows, invalid=(0, 1))
    rows.filter(pl.col("id") != rows["id"][2]).with_columns(
        pl.when(pl.col("id") == rows["id"][3]).then(pl.lit("Another.")).otherwise("negative").alias("negative")
    ).write_parquet(tmp_path / "other.parquet")
    whole = negforge.audit("perturb.number", tmp_path / "n.parquet", labels=labels)
    assert (whole.valid.judged, whole.valid.good, whole.absent, whole.changed) == (rows.height, rows.height - 2, 0, 0)
    assert (whole.rows, whole.emitted) == (5, rows.height)
    assert dict(whole.refused) == {"no-site": 1, "time": 1}
    assert {*whole.by["edit"]} <= {"number raised", "number lowered"}
    assert sum(one.judged for one in whole.by["edit"].values()) == rows.height
    assert dict(whole.notes) == {"still true": 2}
    other = negforge.audit("perturb.number", pl.read_parquet(tmp_path / "other.parquet"), labels=labels)
    assert (other.valid.judged, other.absent, other.changed) == (rows.height - 2, 1, 1)
    assert other.fails(None, "estimate") == ""


def test_without_the_rows_the_labels_alone_count(tmp_path: Path) -> None:
    """Nothing is compared, nothing is known of sites."""
    rows = rows_of(tmp_path / "n.parquet")
    found = negforge.audit("generate perturb.number", labels=sample(tmp_path / "l.jsonl", rows, invalid=(1,)))
    assert found.document()["validity"] == {
        "judged": rows.height, "valid": rows.height - 1, "estimate": round(1 - 1 / rows.height, 6),
        "low": wilson(rows.height - 1, rows.height)[0], "high": wilson(rows.height - 1, rows.height)[1],
    }  # fmt: skip
    assert "sites" not in found.document()


def test_a_verifier_against_votes() -> None:
    """Two of three right vetoes; the rows it lets pass are two of three valid."""
    frame = pl.DataFrame(
        {
            "caption": ["Two dogs.", "12 men.", "One cat.", "A red hat.", "A blue hat.", "A man."],
            "foil": ["2 dogs.", "twelve men.", "1 cat.", "A green hat.", "A navy hat.", "A woman."],
            "mturk": [{"caption": 0}, {"caption": 1}, {"caption": 3}, {"caption": 3}, {"caption": 1}, {"caption": 2}],
            "kind": ["count", "count", "count", "colour", "colour", None],
        }
    )
    with pytest.MonkeyPatch.context() as patch, pytest.raises(UsageError, match="nothing says from what number"):
        patch.setattr("negforge.auditing._ROWS", 2)  # the number that says nothing stands in the second frame
        negforge.audit("verify.equivalent", labels=_written(frame), positive="caption", negative="foil", valid="mturk.caption")
    given: dict[str, Any] = {"positive": "caption", "negative": "foil", "valid": "mturk.caption", "at_least": 2, "by": "kind"}
    found = negforge.audit("verify.equivalent", labels=_written(frame), **given)
    document = found.document()
    assert document["verdicts"] == {
        "positive": {"valid": 1, "invalid": 2}, "negative": {"valid": 0, "invalid": 0}, "unknown": {"valid": 2, "invalid": 1},
    }  # fmt: skip
    assert (document["agreement"]["decided"], document["agreement"]["agreed"]) == (3, 2)
    assert (document["passed"]["judged"], document["passed"]["valid"]) == (3, 2)
    assert {name: (one["judged"], one["valid"]) for name, one in document["by"]["kind"].items()} == {
        "(none)": (1, 1), "colour": (2, 1), "count": (3, 1),
    }  # fmt: skip
    assert found.fails(0.7, "estimate")
    assert not found.fails(0.6, "estimate")
    assert found.fails(0.6, "low")


def _written(frame: pl.DataFrame) -> str:
    import tempfile

    path = Path(tempfile.mkdtemp(prefix="negforge-audit-")) / "votes.jsonl"
    frame.write_ndjson(path)
    return str(path)


def test_votes_are_true_yes_or_a_number_and_may_be_missing(tmp_path: Path) -> None:
    """A null is nobody's; what says neither is an error."""
    texts = {"positive": ["a", "b", "c"], "negative": ["x", "y", None]}
    for values, expected in (([True, None, True], 1), (["yes", "NO", "yes"], 1), ([1, 0, 1], 1), (["valid", "", "x"], None)):
        path = tmp_path / "votes.jsonl"
        pl.DataFrame({**texts, "valid": values}, strict=False).write_ndjson(path)
        if expected is None:
            with pytest.raises(InputError, match="says of no row whether"):
                negforge.audit("equivalent", labels=path)
            continue
        found = negforge.audit("equivalent", labels=path)
        assert (found.valid.good, found.judgements, found.unjudged + found.valid.judged) == (expected, 3, 3)
    with pytest.raises(UsageError, match="is for numbers"):
        negforge.audit("equivalent", labels=_written(pl.DataFrame({**texts, "valid": ["yes", "no", "yes"]})), at_least=2)


def test_a_verifier_that_wants_positives_is_given_those_of_the_rows() -> None:
    """The negative that is its own positive is a known one, whatever the votes."""
    frame = pl.DataFrame({"positive": ["A man runs.", "A cat."], "negative": ["a man runs", "A dog."], "valid": [False, True]})
    found = negforge.audit("verify known-positive", labels=_written(frame))
    assert (found.verdicts["positive"].judged, found.verdicts["positive"].good) == (1, 0)
    assert found.verdicts["positive"].judged + found.verdicts["unknown"].judged + found.verdicts["negative"].judged == 2


def test_a_verifier_against_a_judged_sample(tmp_path: Path) -> None:
    """Its verdicts on the rows of the table that were judged."""
    rows = rows_of(tmp_path / "n.parquet")
    found = negforge.audit("verify.equivalent", tmp_path / "n.parquet", labels=sample(tmp_path / "l.jsonl", rows, invalid=(0,)))
    assert (found.verdicts["unknown"].judged, found.verdicts["unknown"].good) == (rows.height, rows.height - 1)
    assert found.agrees.estimate is None


def test_faults(tmp_path: Path) -> None:
    """Each names what is wrong; a line of a sample by its number."""
    rows = rows_of(tmp_path / "n.parquet")
    labels = sample(tmp_path / "l.jsonl", rows)
    for operator in ("filter.margin", "nothing.of-the-kind"):
        with pytest.raises(UsageError):
            found_operator(operator)
    with pytest.raises(InputError, match=r"is not of mine\.random"):
        negforge.audit("mine.random", labels=labels)
    with pytest.raises(UsageError, match="holds no texts to verify"):
        negforge.audit("verify.equivalent", labels=labels)
    with pytest.raises(UsageError, match="has its own columns"):
        negforge.audit("perturb.number", labels=labels, positive="caption")
    votes = _written(pl.DataFrame({"positive": ["a"], "negative": ["b"], "valid": [True]}))
    with pytest.raises(UsageError, match="is no judged sample"):
        negforge.audit("perturb.number", labels=votes)
    with pytest.raises(UsageError, match="has the rows itself"):
        negforge.audit("equivalent", rows, labels=votes)
    with pytest.raises(InputError, match="column 'vald'"):
        negforge.audit("equivalent", labels=votes, valid="vald")
    head = labels.read_text(encoding="utf-8").splitlines()[0]
    for line, match in (("{", "no JSON"), ('{"id": "a"}', "of the right type"), ('{"id": "a", "digest": "b", "valid": 1}', "right type")):
        (tmp_path / "bad.jsonl").write_text(f"{head}\n{line}\n", encoding="utf-8")
        with pytest.raises(InputError, match=match) as error:
            read_sample(tmp_path / "bad.jsonl")
        assert "line 2" in error.value.where
    twice = labels.read_text(encoding="utf-8").splitlines()
    (tmp_path / "bad.jsonl").write_text("\n".join([*twice, twice[1]]), encoding="utf-8")
    with pytest.raises(InputError, match="judged twice"):
        read_sample(tmp_path / "bad.jsonl")
    for text in ("", "[1]\n", '{"id": "a", "operator": "x"}\n', "\ufeff\x00"):
        (tmp_path / "bad.jsonl").write_text(text, encoding="utf-8")
        assert not is_sample(tmp_path / "bad.jsonl")


# -- the command line --------------------------------------------------------------------------------------------------


def test_the_command_line(tmp_path: Path) -> None:
    """The table on stdout; exit 1 below the share, or where no judged row is there; JSON as one document."""
    rows = rows_of(tmp_path / "n.parquet")
    labels = sample(tmp_path / "l.jsonl", rows, invalid=(0,))
    done = good("audit", "perturb.number", tmp_path / "n.parquet", "--labels", labels)
    assert f"{rows.height - 1} of {rows.height}, " in done.out.splitlines()[0]
    assert "still true" in done.out
    assert done.err == ""
    failed = call("audit", "perturb.number", "--labels", labels, "--fail-under", "0.97")
    assert (failed.code, failed.err.splitlines()[0]) == (1, f"failed: the share {1 - 1 / rows.height:.4f} is below 0.97")
    assert call("audit", "perturb.number", "--labels", labels, "--fail-under", "0.5").code == 0
    assert call("audit", "perturb.number", "--labels", labels, "--fail-under", "0.5", "--bound", "low").code == 1
    rows.with_columns(pl.lit("other").alias("negative")).write_parquet(tmp_path / "other.parquet")
    gone = call("audit", "perturb.number", tmp_path / "other.parquet", "--labels", labels)
    assert (gone.code, "no judged row is in" in gone.err) == (1, True)
    found = json.loads(good("audit", "perturb.number", tmp_path / "n.parquet", "--labels", labels, "--json").out)
    assert (found["operator"], found["validity"]["judged"], found["sites"], found["rows"]) == ("perturb.number", rows.height, 4, 5)
    for words in (["audit", "perturb.number"], ["audit", "perturb.number", "--labels", labels, "--bound", "high"]):
        assert call(*words).code == 2
    piped = shell("cat n.parquet | negforge audit perturb.number - --labels l.jsonl --json", tmp_path)
    assert json.loads(piped.out)["validity"]["judged"] == rows.height, piped.err


def test_one_json_document_whose_other_columns_make_no_table(tmp_path: Path) -> None:
    """Objects by name, packed; a column that is text in one row and a list in another is not looked at."""
    rows = {
        "a": {"caption": "A dog.", "foil": "A cat.", "mturk": {"caption": 3, "foil": 0}, "more": "text"},
        "b": {"caption": "2 dogs.", "foil": "two dogs.", "mturk": {"caption": 0, "foil": 3}, "more": [True]},
    }
    with gzip.open(tmp_path / "v.json.gz", "wt", encoding="utf-8") as out:
        json.dump(rows, out)
    words = ["--positive", "caption", "--negative", "foil", "--valid", "mturk.caption", "--at-least", "2"]
    found = json.loads(good("audit", "verify.equivalent", "--labels", tmp_path / "v.json.gz", *words, "--json").out)
    assert found["verdicts"]["positive"] == {"valid": 0, "invalid": 1}
    (tmp_path / "v.json").write_text("{", encoding="utf-8")
    assert call("audit", "verify.equivalent", "--labels", tmp_path / "v.json", *words).code == 3


# -- below the bar -----------------------------------------------------------------------------------------------------

SHOUT = '''"""Write the first word in capitals, which makes nothing wrong.

Source: nobody.
"""
from negforge.contract import Declares, Edit
from negforge.records import Pairs

DECLARES = Declares(
    version=1, scope="row", reads=Pairs, edits=True, evidence=("edit",), bar=0.95, below="Of 100 judged rows 3 are valid."
)


def generate(batch: Pairs):
    """Edit each text."""
    for row_id, text in zip(batch["id"], batch["positive"]):
        yield Edit(row_id, 0, 1, "<" + text[:1] + ">")
'''


def test_an_operator_below_its_bar_is_off_and_says_so(tmp_path: Path) -> None:
    """Exit 2 names the flag; with it the run is as any other and the manifest records it; a pipeline has the key, too."""
    place = tmp_path / "plug" / "generate" / "perturb" / "shout.py"
    place.parent.mkdir(parents=True)
    place.write_text(SHOUT, encoding="utf-8")
    pl.DataFrame({"id": ["a"], "anchor": ["x"], "positive": ["A dog."]}).write_ndjson(tmp_path / "p.jsonl")
    words: list[str | Path] = ["--plugins", tmp_path / "plug", "generate", "perturb.shout", tmp_path / "p.jsonl"]
    off = call(*words, "-o", tmp_path / "set")
    assert off.code == 2
    assert "Of 100 judged rows 3 are valid." in off.err
    assert "--below-bar" in off.err
    assert not (tmp_path / "set").exists()
    assert call(*words, "--no-below-bar", "-o", tmp_path / "set").code == 2
    good(*words, "--below-bar", "-o", tmp_path / "set")
    stage = json.loads(good("show", tmp_path / "set", "--json").out)["stages"][-1]
    assert stage["below_bar"] is True
    assert "--below-bar" in (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    manual = good("--plugins", tmp_path / "plug", "operators", "show", "perturb.shout").out
    assert "0.95 of its negatives valid" in manual
    assert "Off by default" in manual
    for key, code in (("", 2), ("below_bar = true\n", 0)):
        (tmp_path / "p.toml").write_text(
            f'[[stage]]\nname = "one"\nuse = "generate perturb.shout"\ninput = "{tmp_path}/p.jsonl"\noutput = "{tmp_path}/out{code}"\n{key}',
            encoding="utf-8",
        )
        assert call("--plugins", tmp_path / "plug", "run", tmp_path / "p.toml").code == code
    assert call("generate", "perturb.number", tmp_path / "p.jsonl", "--below-bar", "-o", tmp_path / "n").code == 2


def test_a_bar_is_a_share_and_what_is_below_has_one() -> None:
    """What means nothing is refused as it is declared."""
    for wrong in ({"bar": 1.5}, {"bar": True}, {"below": "x"}, {"bar": 0.9, "below": 3}):
        given: dict[str, Any] = {"version": 1, "scope": "row", **wrong}
        with pytest.raises(UsageError):
            Declares(**given)


# -- what is shipped ---------------------------------------------------------------------------------------------------


def test_the_shipped_table_is_that_of_the_judged_samples() -> None:
    """No drift: `make generated` would change nothing. A sample is of its operator's version now, and of a hundred rows or more."""
    found = audited(JUDGED)
    assert json.loads((ROOT / "negforge" / "audited.json").read_text(encoding="utf-8")) == found, "run make generated"
    versions = {one.name: one.declares.version for one in our_operators() if one.verb == "generate"}
    for name, one in found.items():
        assert one["version"] == versions[name], f"judge a new sample of {name}"
        assert one["judged"] >= 100 or find("generate", name).declares.below, name
        assert {"source", "command", "judge", "date"} <= {*one}, name
        assert name.replace("-", "_") + ".jsonl" in {path.name.replace("-", "_") for path in JUDGED.iterdir()}


@pytest.mark.parametrize("name", [one.name for one in our_operators() if one.declared.get("bar")])
def test_an_operator_reaches_its_bar_or_is_off(name: str) -> None:
    """Of what was judged at least so much is valid; where less is, the operator says so and is not run unless it is asked for."""
    operator = find("generate", name)
    known = shipped(name)
    assert known is not None, f"nothing of {name} was judged"
    estimate = known[0].estimate
    assert estimate is not None
    assert (estimate >= operator.declares.bar) or operator.declares.below, name
    assert audited_words(operator).startswith(known[0].words())


def test_the_judged_numbers_of_gsm8k(real_data: Path, tmp_path: Path) -> None:
    """What is judged of perturb.number is what it makes now, and it reaches its bar."""
    negforge.run("ingest pairs", real_data / "gsm8k" / "test.jsonl", text="question", output=tmp_path / "p.parquet")
    negforge.run("generate perturb.number", tmp_path / "p.parquet", output=tmp_path / "n.parquet")
    found = negforge.audit("perturb.number", tmp_path / "n.parquet", labels=JUDGED / "perturb.number.jsonl")
    assert found.valid.judged >= 100
    assert not found.fails(find("generate", "perturb.number").declares.bar, "estimate")
    assert (found.rows, found.refused["question"] > 0) == (900, True)


def test_the_votes_of_valse(real_data: Path) -> None:
    """Valid foils by two votes of three, as published: 505 of 534, 851 of 1,000 and so on; and the check vetoes no valid one."""
    counts = {"existence": (534, 505), "plurals": (1000, 851), "counting-hard": (1000, 868), "relations": (614, 535)}
    for name, (rows, valid) in counts.items():
        found = negforge.audit(
            "verify.equivalent",
            labels=real_data / "valse" / f"{name}.json.gz",
            positive="caption",
            negative="foil",
            valid="mturk.caption",
            at_least=2,
        )
        assert (found.valid.judged, found.valid.good) == (rows, valid), name
        assert found.verdicts["positive"].good == 0, name

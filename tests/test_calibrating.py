"""What thresholds would drop, before anything is dropped."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.calibrating import Calibration, Line, Scored, _rounded, _Steps, lines
from negforge.errors import InputError, UsageError
from tests.shell import call, good, on_terminal, shell
from tests.test_thresholds import scored

# Gaps to the positive of 0.5, 0.25, 0, -0.25 for a, of 0.75 and 0.125 for b.
ROWS = scored(
    ("a1", "a", "one", 0.25, 0.75), ("a2", "a", "two", 0.5, 0.75), ("a3", "a", "three", 0.75, 0.75), ("a4", "a", "four", 1.0, 0.75),
    ("b1", "b", "five", 0.125, 0.875), ("b2", "b", "six", 0.75, 0.875),
    negative_id=["d1", "d2", "d3", "d4", "d5", "d6"], operator=["mine.bm25"] * 4 + ["mine.random"] * 2,
    miner=["bm25"] * 4 + ["random", None],
)  # fmt: skip


def line_of(found: Calibration, measure: str | None, threshold: float | None, place: int = 0) -> Line:
    """The line of a threshold."""
    every = [found.scores[place].before, *found.scores[place].lines]
    return next(line for line in every if (line.measure, line.threshold) == (measure, threshold))


@pytest.fixture
def tsv(tmp_path: Path) -> Path:
    """Judgements: d3 and d4 are right for a, d5 is judged and wrong for b; d6 is right for an anchor that is not there."""
    (tmp_path / "q.tsv").write_text("query-id\tcorpus-id\tscore\na\td3\t1\na\td4\t2\nb\td5\t0\nz\td6\t1\n", encoding="utf-8")
    return tmp_path / "q.tsv"


# -- counts ------------------------------------------------------------------------------------------------------------


def test_a_worked_case(tsv: Path) -> None:
    """A margin of 0.2 leaves the gaps 0.25, 0.5 and 0.75: half of the rows, of a mean score of (0.25 + 0.5 + 0.125) / 3."""
    found = negforge.calibrate(ROWS, qrels=tsv)
    assert (found.rows, found.anchors, found.judged, found.right) == (6, 2, 2, 2)
    assert found.miners == {"mine.bm25": 4, "mine.random": 2}
    assert vars(found.scores[0].before) == {
        "measure": None, "threshold": None, "dropped": 0.0, "by": {"mine.bm25": 0.0, "mine.random": 0.0}, "kept": 6,
        "hardness": 0.5625, "right": 2 / 6, "left_with_none": 0,
    }  # fmt: skip
    assert vars(line_of(found, "absolute_margin", 0.2)) == {
        "measure": "absolute_margin", "threshold": 0.2, "dropped": 0.5, "by": {"mine.bm25": 0.5, "mine.random": 0.5}, "kept": 3,
        "hardness": 0.291667, "right": 0.0, "left_with_none": 0,
    }  # fmt: skip
    assert line_of(found, "absolute_margin", 0.0).right == pytest.approx(1 / 5)
    assert line_of(found, "relative_margin", 0.5).left_with_none == 0
    assert line_of(found, "relative_margin", 0.5).kept == 2


def test_anchors_left_with_none_are_counted() -> None:
    """By the highest score that leaves 0.125 alone, a has nothing left."""
    found = negforge.calibrate(ROWS)
    assert line_of(found, "max_score", 0.2).left_with_none == 1
    assert line_of(found, "max_score", 0.2).by == {"mine.bm25": 1.0, "mine.random": 0.5}


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.none() | st.integers(-16, 16), st.none() | st.integers(-16, 16), st.sampled_from(["negative", "positive", "unknown"])),
        min_size=1, max_size=14,
    ),
    st.sampled_from(["weakest", "row"]),
)  # fmt: skip
def test_every_line_is_what_the_filter_does(rows: list[tuple[str, int | None, int | None, str]], reference: str) -> None:
    """For any scores, signs, labels and missing values: the rows that the filter keeps with that option, counted."""
    table = scored(
        *(
            (f"n{place}", anchor, f"t{place}", None if score is None else score / 10, None if positive is None else positive / 10)
            for place, (anchor, score, positive, _) in enumerate(rows)
        ),
        label=[label for *_, label in rows],
    )
    judged = table.filter(pl.col("label") != "positive")
    if not judged.height:
        with pytest.raises(InputError):
            negforge.calibrate(table, by="x")
        return
    found = negforge.calibrate(table, by="x", reference=reference)
    for line in found.scores[0].lines[::3]:
        options: dict[str, Any] = {str(line.measure): line.threshold, "reference": reference}
        kept = negforge.run("filter margin", table, by="x", **options).kept.filter(pl.col("label") != "positive")
        assert line.kept == kept.height, options
        assert line.dropped == pytest.approx(1 - kept.height / judged.height)
        assert line.left_with_none == judged["anchor_id"].n_unique() - kept["anchor_id"].n_unique()
        mean = kept["score_x"].mean()
        assert line.hardness == (None if mean is None else pytest.approx(mean, rel=1e-4, abs=1e-9))


def test_the_weakest_positive_is_taken_of_all_rows() -> None:
    """Of an anchor whose weakest positive stands in a row proven positive alone, that one counts, as in the filter."""
    table = scored(("1", "a", "x", 0.5, 0.9), ("2", "a", "y", 0.5, 0.3)).with_columns(pl.Series("label", ["negative", "positive"]))
    assert line_of(negforge.calibrate(table), "absolute_margin", 0.0).kept == 0


def test_dropped_rows_are_not_looked_at(tmp_path: Path) -> None:
    """A table that was filtered before is looked at as it is."""
    ROWS.write_parquet(tmp_path / "n.parquet")
    good("filter", "margin", tmp_path / "n.parquet", "--by", "x", "--absolute-margin", "0", "-o", tmp_path / "set")
    found = negforge.calibrate(tmp_path / "set")
    assert found.rows == 5
    assert line_of(found, "absolute_margin", 0.0).dropped == 0.0


def test_any_batching_and_order_give_the_same(tsv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An anchor that stands in several frames is one anchor."""
    first = negforge.calibrate(ROWS, qrels=tsv).document()
    monkeypatch.setattr("negforge.calibrating._ROWS", 2)
    assert negforge.calibrate(ROWS.reverse(), qrels=tsv).document() == first


def test_scores_without_positives_have_a_highest_score_alone() -> None:
    """Nothing is compared with nothing; such a score is looked at where it is named, or where there is no other."""
    table = ROWS.with_columns(pl.col("score_x").alias("score_y"))
    assert [one.by for one in negforge.calibrate(table).scores] == ["x"]
    found = negforge.calibrate(table, by=["y", "x"])
    assert [one.by for one in found.scores] == ["y", "x"]
    assert {line.measure for line in found.scores[0].lines} == {"max_score"}
    found = negforge.calibrate(table.drop("score_x_positive"))
    assert [(one.by, one.positives) for one in found.scores] == [("x", 0), ("y", 0)]


# -- thresholds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 40.0, 0.003])
def test_thresholds_fit_the_size_of_the_scores(scale: float) -> None:
    """Cosines, BM25 and small shares alike: round numbers, and from about 2 to 90 % dropped, with no wide gap between."""
    rng = np.random.default_rng(1)
    rows = [
        (f"{place}", f"a{place % 50}", f"t{place}", float(rng.normal(0.4, 0.15)) * scale, (0.7 + place % 50 / 500) * scale)
        for place in range(2000)
    ]
    for measure in ("absolute_margin", "relative_margin", "max_score"):
        found = [line for line in negforge.calibrate(scored(*rows)).scores[0].lines if line.measure == measure]
        shares = [line.dropped for line in found]
        assert shares == sorted(shares), "from the mildest to the strictest"
        assert shares[0] < 0.06
        assert 0.85 < shares[-1] < 0.97
        assert max(after - before for before, after in itertools.pairwise(shares)) < 0.3
        assert all(line.threshold == _rounded(line.threshold or 0.0, 2) for line in found)
        assert len(found) <= 18


def test_one_margin_is_not_one_share() -> None:
    """The same 5 % drops 8 % of one model's candidates and 84 % of another's: it is seen beforehand (sentence-transformers#3279)."""
    found = []
    for spread in (0.3, 0.02):
        rng = np.random.default_rng(2)
        rows = [(f"{place}", f"a{place}", "t", float(rng.normal(0.8 - spread, spread / 2)), 0.8) for place in range(1000)]
        found.append(line_of(negforge.calibrate(scored(*rows)), "relative_margin", 0.05).dropped)
    assert found[0] < 0.1
    assert found[1] > 0.8


@given(st.lists(st.floats(-1e6, 1e6).filter(lambda one: one == 0 or abs(one) > 1e-6), min_size=1, max_size=60), st.floats(0, 1))
def test_quantiles_are_right_within_a_step(values: list[float], share: float) -> None:
    """Within 1 %, whatever the signs, added in any pieces."""
    steps = _Steps()
    for piece in (values[::2], values[1::2], [math.nan, math.inf]):
        steps.add(np.array(piece, dtype=np.float64))
    wanted = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    assert steps.quantile(share) == pytest.approx(wanted, rel=0.011)
    assert steps.count == len(values)


def test_the_suggested_threshold_is_the_mildest_that_is_good_enough(tsv: Path) -> None:
    """With judgements: of those that leave a fifth of what is right at most, the one that drops least. Without: a quarter at most."""
    choice = negforge.calibrate(ROWS, qrels=tsv).suggested()
    assert choice is not None
    assert (choice[1].right, choice[1].kept) == (0.0, 4)
    choice = negforge.calibrate(ROWS).suggested()
    assert choice is not None
    assert (choice[1].measure, choice[1].kept) == ("absolute_margin", 5)


# -- judgements --------------------------------------------------------------------------------------------------------


def test_judgements_in_any_form_say_the_same(tsv: Path, tmp_path: Path) -> None:
    """BEIR's table, TREC's lines, packed or not, and known pairs by id and by text."""
    lines_ = "a 0 d3 1\na\t0\td4\t2\n\nb 0 d5 0\nz 0 d6 1\n"
    (tmp_path / "q.trec").write_text(lines_, encoding="utf-8")
    with gzip.open(tmp_path / "q.txt.gz", "wt", encoding="utf-8") as packed:
        packed.write(lines_)
    first = negforge.calibrate(ROWS, qrels=tsv).scores
    assert negforge.calibrate(ROWS, qrels=tmp_path / "q.trec").scores == first
    assert negforge.calibrate(ROWS, qrels=tmp_path / "q.txt.gz").scores == first
    known = pl.DataFrame(
        {
            "id": ["1", "2", "3"],
            "anchor_id": ["a", "a", "b"],
            "anchor": ["anchor of a", "anchor of a", "anchor of b"],
            "positive": ["Three.", "another text", "none of these"],
            "positive_id": [None, "d4", None],
        }
    )
    assert negforge.calibrate(ROWS, known=known).scores == first


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("query\tdoc\tscore\na\td1\t1\n", "q.tsv", "'query-id' is not in"),
        ("query-id\tcorpus-id\tscore\na\td1\t1\na\td2\tyes\n", "q.tsv", "line 3: query 'a', document 'd2', score 'yes'"),
        ("a 0 d1\n", "q.trec", "line 1 is no judgement"),
        ("a 0 d1 1\na 0 d2 high\n", "q.txt", "line 2 is no judgement"),
        ("", "q.trec", "holds no judgement"),
        ("other 0 d1 1\n", "q.trec", "judges no anchor of"),
        (None, "gone.trec", "there is no file"),
        (None, "gone.tsv", "there is no file"),
    ],
)
def test_judgements_that_cannot_be_used_are_named(text: str | None, name: str, words: str, tmp_path: Path) -> None:
    """Which file, which line, and what it should be."""
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        negforge.calibrate(ROWS, qrels=tmp_path / name)
    assert words in str(error.value)
    assert error.value.mend


def test_ids_compare_as_text(tmp_path: Path) -> None:
    """Numbers in the one file and texts in the other are the same ids."""
    table = ROWS.with_columns(pl.Series("negative_id", [1, 2, 3, 4, 5, 6]).cast(pl.String))
    (tmp_path / "q.tsv").write_text("query-id\tcorpus-id\tscore\na\t3\t1\nb\t6\t1\n", encoding="utf-8")
    assert negforge.calibrate(table, qrels=tmp_path / "q.tsv").right == 2


# -- faults ------------------------------------------------------------------------------------------------------------


def test_faults(tsv: Path) -> None:
    """No score, no row, a score that is not there, ids that are not there, and options that contradict each other."""
    with pytest.raises(InputError, match="has no score"):
        negforge.calibrate(ROWS.drop("score_x", "score_x_positive"))
    with pytest.raises(InputError, match="no negative to look at"):
        negforge.calibrate(ROWS.clear())
    with pytest.raises(InputError, match="no negative to look at"):
        negforge.calibrate(ROWS.with_columns(pl.lit("positive").alias("label")))
    with pytest.raises(InputError, match="'score_y'") as error:
        negforge.calibrate(ROWS, by="y")
    assert error.value.mend == "pass --by x"
    with pytest.raises(InputError, match="no ids to look up"):
        negforge.calibrate(ROWS.drop("negative_id"), qrels=tsv)
    with pytest.raises(InputError, match="has no anchor of"):
        negforge.calibrate(ROWS, known=pl.DataFrame({"anchor": ["far"], "positive": ["away"]}))
    with pytest.raises(UsageError, match="both say what is right"):
        negforge.calibrate(ROWS, qrels=tsv, known=ROWS)
    with pytest.raises(UsageError, match="weakest or row"):
        negforge.calibrate(ROWS, reference="strongest")
    for words in (["calibrate", "nowhere.parquet"], ["calibrate", "sample_data/pairs.jsonl"]):
        done = call(*words)
        assert (done.code, done.out) == (3, "")


# -- for people --------------------------------------------------------------------------------------------------------


def test_the_table_in_words(tsv: Path, tmp_path: Path) -> None:
    """What there is, a line a threshold, and at the end a command that works as it stands."""
    ROWS.write_parquet(tmp_path / "n.parquet")
    done = good("calibrate", tmp_path / "n.parquet", "--qrels", tsv)
    out = done.out.splitlines()
    assert out[0] == f"{tmp_path}/n.parquet: 6 rows of 2 anchors"
    assert out[1] == f"  by {tsv}, which knows 2 of the anchors, 2 of the rows are right (33.33 %)"
    assert out[2:4] == ["  a: mine.bm25, 4 rows", "  b: mine.random, 2 rows"]
    assert out[5] == "filter margin --by x, compared with the anchor's weakest positive"
    assert out[6].split() == ["dropped", "%", "a", "%", "b", "%", "hardness", "right", "%", "none", "left"]
    assert out[7].split() == ["nothing", "0.0", "0.0", "0.0", "0.5625", "33.33", "0"]
    line = next(one for one in out[out.index("  --absolute-margin") :] if one.startswith("    0.2 "))
    bar = line.split()[4]
    assert line.split() == ["0.2", "50.0", "50.0", "50.0", bar, "0.2917", "0.00", "0"]
    assert {*bar} == {"#"}
    assert done.err == ""
    following = next(one for one in out if one.startswith("next: ")).removeprefix("next: ")
    words = shlex.split(following)
    assert words[:3] == ["negforge", "filter", "margin"]
    assert good(*words[1:]).out == ""
    assert pl.read_parquet(tmp_path / "n-filtered.parquet").height == 4


@pytest.mark.parametrize("columns", [56, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(columns: int, tsv: Path) -> None:
    """Bars and miners' columns give way first; the lines of files and commands are as long as they are."""
    found = negforge.calibrate(ROWS, qrels=tsv)
    table = [line for line in lines(found, columns) if "--by" not in line and str(tsv) not in line]
    assert max(map(len, table)) <= columns
    assert any("##" in line for line in table) is (columns > 56)
    assert all(line.isascii() for line in table)


def test_bars_are_as_long_as_what_is_dropped() -> None:
    """Half of the width for half of the rows, none for none."""
    line = Line("max_score", 0.5, 0.5, {"m": 0.5}, 1, 0.1, None, 0)
    before = Line(None, None, 0.0, {"m": 0.0}, 2, 0.1, None, 0)
    found = Calibration("t", 2, 1, "weakest", {"m": 2}, scores=[Scored("x", 2, 0, before, [line])])
    bars = [text.count("#") for text in lines(found, 200) if "0.5" in text and "next" not in text and "drops" not in text]
    assert bars == [20]


def test_a_terminal_gets_what_a_pipe_gets(tmp_path: Path) -> None:
    """Plain characters, with colour or without; only the line of progress is cleared."""
    ROWS.write_parquet(tmp_path / "n.parquet")
    piped = shell("COLUMNS=80 negforge calibrate n.parquet", tmp_path).out
    for variable in ("NO_COLOR", "OTHER"):
        done = on_terminal(["calibrate", tmp_path / "n.parquet"], env={variable: "1"})
        seen = done.out.replace("\r\x1b[K", "").replace("\r\n", "\n").replace(f"{tmp_path}/", "")
        assert seen.endswith(piped)
        assert "\x1b[" not in seen.removesuffix(piped).replace("\x1b[K", "")


def test_what_a_table_holds_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """A miner's name with an escape in it is shown, not obeyed."""
    ROWS.with_columns(pl.lit("a\x1b[2Jb").alias("miner")).write_parquet(tmp_path / "n.parquet")
    for words in ([], ["--json"]):
        assert good("calibrate", tmp_path / "n.parquet", *words).out.replace("\n", "").isprintable()


def test_as_json_and_from_a_pipe(tmp_path: Path) -> None:
    """One document with every line, the same from a pipe; nothing of judgements where there are none."""
    ROWS.write_parquet(tmp_path / "n.parquet")
    found = json.loads(good("calibrate", tmp_path / "n.parquet", "--json").out)
    assert "judgements" not in found
    assert found["scores"][0]["before"]["kept"] == 6
    assert found["suggested"]["measure"] == "absolute_margin"
    done = shell('negforge filter where n.parquet --keep "score_x < 9" -q | negforge calibrate - --json', tmp_path)
    assert done.code == 0, done.err
    assert {**json.loads(done.out), "name": found["name"]} == found


def test_hidden_positives_of_scifact(real_data: Path, tmp_path: Path) -> None:
    """All but one positive of each claim are hidden: some are mined, and stricter margins leave fewer; exactly as the filter does."""
    good("ingest", "beir", real_data / "scifact", "-o", tmp_path / "all.parquet")
    good("ingest", "corpus", real_data / "scifact/corpus.jsonl.gz", "-o", tmp_path / "corpus.parquet")
    every = pl.read_parquet(tmp_path / "all.parquet")
    several = every.filter(pl.len().over("anchor_id") > 1)
    several.sort("id").unique("anchor_id", keep="first", maintain_order=True).write_parquet(tmp_path / "shown.parquet")
    mine: list[str | Path] = ["generate", "mine.bm25", tmp_path / "shown.parquet", "--corpus", tmp_path / "corpus.parquet"]
    good(*mine, "-n", "8", "-o", tmp_path / "mined.parquet")
    good("score", "overlap", tmp_path / "mined.parquet", "--measure", "containment", "-o", tmp_path / "scored.parquet")
    found = negforge.calibrate(tmp_path / "scored.parquet", qrels=real_data / "scifact/qrels/train.tsv")
    by_text = negforge.calibrate(tmp_path / "scored.parquet", known=tmp_path / "all.parquet")
    assert found.scores == by_text.scores
    assert found.judged == several["anchor_id"].n_unique()
    assert found.right > 10
    line = line_of(found, "absolute_margin", 0.1)
    kept = negforge.run("filter margin", tmp_path / "scored.parquet", by="overlap", absolute_margin=0.1).kept
    kept = kept.filter(pl.col("label") != "positive")
    right = kept.join(every, left_on=["anchor_id", "negative_id"], right_on=["anchor_id", "positive_id"], how="semi").height
    assert (line.kept, line.right) == (kept.height, right / kept.height)
    assert right / kept.height < (found.scores[0].before.right or 0.0)

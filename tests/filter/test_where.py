"""Rows kept by an expression over their columns."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.errors import InputError, NegforgeError, UsageError
from negforge.options import model_of
from negforge.registry import find
from negforge.runner import stage_of
from tests import strategies
from tests.shell import call, good
from tests.verify.test_known_positive import negative

TITLE = "filter where"


def frame() -> pl.DataFrame:
    """Three rows with a score each, one of them null; one row is labelled positive."""
    rows = [
        {**negative("a short one", row="n1"), "score_x": 0.9, "group": "g", "edit": {"start": 2, "end": 3, "old": "", "new": "x"}},
        {**negative("a text that is longer", row="n2"), "score_x": 0.1, "group": "h", "label": "positive", "edit": None},
        {**negative("Another", row="n3"), "score_x": None, "group": None, "evidence": ["edit"], "edit": None},
    ]
    return pl.DataFrame(rows, schema_overrides={"score_x": pl.Float64, "negative_id": pl.String, "group": pl.String})


def kept(keep: str) -> list[str]:
    """Ids of the rows that stay."""
    return negforge.run(TITLE, frame(), keep=keep).kept["id"].to_list()


@pytest.mark.parametrize(
    ("keep", "ids"),
    [
        ("score_x < 0.5", ["n2"]),
        ("score_x < 0.5 OR score_x IS NULL", ["n2", "n3"]),
        ("length(negative) > 8 AND label = 'negative'", ["n1"]),
        ("label <> 'negative' OR score_x > 0.5", ["n1", "n2"]),
        ("\"group\" IN ('g', 'h')", ["n1", "n2"]),
        ("edit.start = 2", ["n1"]),
        ("array_contains(evidence, 'edit')", ["n3"]),
        ("negative LIKE 'a %'", ["n1", "n2"]),
        ("regexp_like(negative, '(?i)^an')", ["n3"]),
        ("score_x BETWEEN 0.05 AND 0.2", ["n2"]),
        ("CASE WHEN score_x > 0.5 THEN draw = 0 ELSE FALSE END", ["n1"]),
        ("COALESCE(score_x, 1) * 2 > 1", ["n1", "n3"]),
        ("negative = 'now() and COUNT(*)' OR draw = 0", ["n1", "n2", "n3"]),
        ("lower(anchor) <> lower(positive) AND ABS(draw) < 1", ["n1", "n2", "n3"]),
    ],
)
def test_rows_stay_for_which_it_holds(keep: str, ids: list[str]) -> None:
    """Numbers, texts, lists, fields and labels compare as in SQL; rows of every label are tested."""
    assert kept(keep) == ids


def test_the_value_is_the_verdict() -> None:
    """A dropped row says whether the expression was false or null (FlagOpen/FlagEmbedding#1130)."""
    dropped = negforge.run(TITLE, frame(), keep="score_x < 0.5").dropped
    assert dropped.select("id", "dropped_by", "drop_reason", "drop_value").rows() == [
        ("n1", "filter where", "where", "false"),
        ("n3", "filter where", "where", "null"),
    ]


@pytest.mark.parametrize(
    ("keep", "word"),
    [
        ("score_x > AVG(score_x)", "aggregate"),
        ("COUNT(*) > 1", "count"),
        ("score_x > SUM(score_x) OVER (PARTITION BY anchor_id)", "window"),
        ("ROW_NUMBER() OVER () < 3", "count"),
        ("RANK() OVER (ORDER BY score_x) < 3", "Rank"),
        ("LAG(draw) OVER (ORDER BY id) = 1", "window"),
        ("draw >= ALL(seed)", "aggregate"),
        ("draw = ANY(seed)", "ANY"),
        ("QUANTILE_CONT(draw, 0.5) > 1", "Quantile"),
        ("EXISTS(SELECT 1)", "subquery"),
        ("score_x IN (SELECT draw FROM self)", "subquery"),
        ("SELECT 1", "subquery"),
        ("READ_CSV('x') = 1", "subquery"),
        ("UNNEST(evidence) = 'edit'", "UNNEST"),
        ("COLUMNS('score_.*') > 1", "COLUMNS"),
        ('"^score_.*$" > 1', "COLUMNS"),
        ("CASE WHEN MAX(draw) > 1 THEN TRUE ELSE draw = 1 END", "aggregate"),
        ("draw + COALESCE(LENGTH(negative), MIN(draw)) > 1", "aggregate"),
        ("NOW() > '2020-01-01' OR draw > 1", "clock"),
        ("draw > 1 AND CURRENT_DATE > '2020-01-01'", "clock"),
        ("DATE(negative) > DATE('2020-01-01')", "date"),
    ],
)
def test_what_needs_more_than_the_row_is_refused(keep: str, word: str) -> None:
    """Aggregates, windows, subqueries and the clock would make rows depend on the batch or the day: a fault of the command."""
    _, faults = stage_of(TITLE, ["x.parquet"], {"keep": keep})
    assert len(faults) == 1
    assert word in str(faults[0])
    assert faults[0].exit_code == 2


@pytest.mark.parametrize("keep", ["score_x >", "", "a; b", "RANDOM() > 0.5"])
def test_what_is_no_expression_is_refused(keep: str) -> None:
    """A syntax error, a table, a file and chance are faults of the command, told before anything is read."""
    with pytest.raises(UsageError) as error:
        negforge.run(TITLE, "no-such-file.parquet", keep=keep)
    assert "--keep is not an expression of SQL" in str(error.value)
    assert "length(negative) > 20" in error.value.mend


def test_a_constant_is_refused() -> None:
    """An expression without a column would keep all or nothing."""
    with pytest.raises(UsageError, match="names no column"):
        kept("1 = 1")


def test_an_unknown_column_is_named_with_the_nearest() -> None:
    """The message lists the columns there are and suggests one, for an empty table too."""
    for table in (frame(), frame().clear()):
        with pytest.raises(InputError) as error:
            negforge.run(TITLE, table, keep="scor_x < 0.5")
        assert "scor_x" in error.value.what
        assert "score_x" in error.value.mend


@pytest.mark.parametrize(
    ("keep", "word"),
    [
        ("score_x", "not true or false"),
        ("length(negative)", "not true or false"),
        ("negative > 5", "cannot compare"),
        ("negative::int > 5", "conversion"),
        ("negative ~ '('", "regex"),
        ("length(evidence) > 1", "list"),
    ],
)
def test_what_is_not_true_or_false_is_refused(keep: str, word: str) -> None:
    """Another type, and values that cannot be compared or cast, are told in words, with the expression."""
    with pytest.raises(InputError) as error:
        kept(keep)
    assert word in error.value.what
    assert error.value.where == keep


def test_nothing_is_written_when_it_fails_late(tmp_path: Path) -> None:
    """A value in the last batch that cannot be cast leaves no file behind."""
    rows = frame().with_columns(pl.when(pl.col("id") == "n3").then(pl.lit("x")).otherwise(pl.lit("1")).alias("negative"))
    with pytest.raises(NegforgeError):
        negforge.run(TITLE, rows, keep="negative::int = 1", batch_size=1, output=str(tmp_path / "out.parquet"))
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=25)
@given(strategies.negatives(), st.floats(-1, 1))
def test_an_expression_and_its_contrary_share_the_rows(table: pl.DataFrame, bound: float) -> None:
    """A row stays for one of: it holds, it does not, it is null."""
    tests = [f"score_dense > {bound!r}", f"NOT (score_dense > {bound!r})", "score_dense IS NULL"]
    parts = [set(negforge.run(TITLE, table, keep=keep).kept["id"]) for keep in tests]
    live = set(table.filter(pl.col("dropped_by").is_null())["id"])
    assert set().union(*parts) == live
    assert sum(map(len, parts)) == len(live)


@settings(max_examples=25)
@given(strategies.negatives(), st.floats(-1, 1), st.floats(0, 1))
def test_a_wider_bound_never_takes_rows_away(table: pl.DataFrame, bound: float, more: float) -> None:
    """Raising an upper bound adds rows only."""
    narrow, wide = (set(negforge.run(TITLE, table, keep=f"score_dense <= {one!r}").kept["id"]) for one in (bound, bound + more))
    assert narrow <= wide


@given(st.text(max_size=30))
def test_no_text_breaks_the_check(keep: str) -> None:
    """Whatever is given is accepted or refused in words."""
    try:
        model_of(find("filter", "where"))(keep=keep)
    except ValueError as error:
        assert "keep" in str(error)


def test_on_the_command_line(tmp_path: Path) -> None:
    """The counts go to stderr, the kept rows to the file; a fault of the expression ends with 2, one of the data with 3."""
    frame().write_parquet(tmp_path / "in.parquet")
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    done = good("filter", "where", source, "--keep", "score_x > 0.5", "-o", out)
    assert "seen 3, kept 1, dropped 2: where 2" in done.err
    assert pl.read_parquet(out)["id"].to_list() == ["n1"]
    for keep, code in (("MAX(score_x) > 1", 2), ("scor_x > 1", 3)):
        failed = call("filter", "where", source, "--keep", keep, "-o", tmp_path / "no.parquet")
        assert failed.code == code
        assert "mend:" in failed.err
        assert not (tmp_path / "no.parquet").exists()


@pytest.mark.parametrize("keep", ["label == negative", 'label = "negative"', "rank < 3 AND label<>positive"])
def test_a_label_without_single_quotes_is_refused(keep: str) -> None:
    """It would be compared with the column of that name, and hardly a row would stay."""
    done = call("filter", "where", "x.parquet", "--keep", keep)
    assert done.code == 2
    assert "a text stands in single quotes: label = '" in done.err


def test_nothing_is_opened_while_an_expression_is_looked_at(tmp_path: Path) -> None:
    """A subquery is refused before Polars sees it: it would open the file it names, be it a pipe that nobody writes."""
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "secret.csv").write_text("root:x\n", encoding="utf-8")
    for name in ("pipe.csv", "secret.csv"):
        for text in (
            "negative IN (SELECT a FROM read_csv('{}'))",
            "EXISTS (select 1 from read_csv('{}'))",
            "rank > 0 /* ' */ AND rank IN (SELECT a FROM read_csv('{}')) /* ' */",
            "negative <> '\\' AND negative IN (SELECT a FROM read_csv('{}')) AND anchor <> 'x'",
        ):
            done = call("filter", "where", "x.parquet", "--keep", text.format(tmp_path / name))
            assert done.code == 2
            assert "has a subquery" in done.err
            assert "root" not in done.err.replace(str(tmp_path), "")


@pytest.mark.parametrize("part", ["rank <> 1 AND ", "rank + 1 + ", "NOT ", "(", "-", "CASE WHEN rank > 1 THEN 1 ELSE "])
def test_an_expression_too_long_for_the_parser_is_refused(part: str) -> None:
    """The process neither dies nor shows a traceback."""
    for count in (100, 350, 2000, 20_000):
        done = call("filter", "where", "x.parquet", "--keep", part * count + "rank > 0")
        assert done.code in (2, 3), done.err[-300:]
        assert "Traceback" not in done.err

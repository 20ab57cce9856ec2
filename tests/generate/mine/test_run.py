"""Candidates of TREC run files: order, ranks, ids, what is passed over, malformed lines, fusion, the store."""

from __future__ import annotations

import gzip
import itertools
import json
import pickle
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge import runs
from negforge.cli import app
from negforge.corpus import CorpusStore
from negforge.errors import InputError, OptionError
from negforge.generate.mine import bm25, run
from negforge.records import Corpus, Pairs
from negforge.rng import Rng
from negforge.runs import RunStore
from tests.conftest import SAMPLE

TITLE = "generate mine.run"


def table(*ids: str) -> pl.DataFrame:
    """A corpus with these ids."""
    return pl.DataFrame({"id": [*ids], "text": [f"the text of {one}" for one in ids]})


def asked(*ids: str) -> pl.DataFrame:
    """A pair for each of these anchors."""
    return pl.DataFrame(
        {"id": [f"p-{one}" for one in ids], "anchor_id": [*ids], "anchor": [*ids], "positive": [f"right for {one}" for one in ids]}
    )


def written(folder: Path, text: str, name: str = "run.trec") -> str:
    """A run file."""
    (folder / name).write_bytes(text.encode())
    return str(folder / name)


def mined(folder: Path, text: str, corpus: pl.DataFrame, pairs: pl.DataFrame, **options: Any) -> list[tuple[Any, ...]]:
    """What a run gives: anchor_id, negative_id, rank, score_run, miner."""
    made = negforge.run(TITLE, pairs, corpus=corpus, run=[written(folder, text)], **{"num_negatives": 9, **options}).kept
    return made.sort("anchor_id", "draw").select("anchor_id", "negative_id", "rank", "score_run", "miner").rows()


def test_the_scores_order_a_list_as_trec_eval_has_it(tmp_path: Path) -> None:
    """Neither the order of the lines nor the ranks they claim count; the raw score and the tag are kept, ranks go from 1."""
    text = "q Q0 low 1 1.5 tag\nq Q0 high 3 1e1 tag\nq Q0 middle 2 -0 tag\nq Q0 least 9 -2.25 tag\n"
    found = mined(tmp_path, text, table("low", "high", "middle", "least"), asked("q"))
    expected = [("high", 1, 10.0), ("low", 2, 1.5), ("middle", 3, 0.0), ("least", 4, -2.25)]
    assert found == [("q", docno, rank, score, "tag") for docno, rank, score in expected]


def test_equal_scores_are_ordered_by_docno(tmp_path: Path) -> None:
    """The lower docno is first, whatever the order of the lines, and the ranks are of that order."""
    lines = [f"q Q0 {docno} 0 {score} t" for docno, score in (("b", 1), ("a", 1), ("d", 2), ("c", "1.0"))]
    for order in itertools.permutations(lines):
        found = mined(tmp_path, "\n".join(order), table("a", "b", "c", "d"), asked("q"))
        assert [(one[1], one[2]) for one in found] == [("d", 1), ("a", 2), ("b", 3), ("c", 4)]


def test_by_rank_the_ranks_of_the_lines_count(tmp_path: Path) -> None:
    """A run whose scores were rounded or made up may be read by its ranks, from 0 or 1; ties by docno."""
    text = "q Q0 c 2 9 t\nq Q0 b 0 1 t\nq Q0 a 2 5 t\n"
    found = mined(tmp_path, text, table("a", "b", "c"), asked("q"), order="rank")
    assert [(one[1], one[2], one[3]) for one in found] == [("b", 1, 1.0), ("a", 2, 5.0), ("c", 3, 9.0)]


def test_any_blanks_comments_and_empty_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Tabs, several spaces, leading and trailing ones, CRLF, a byte order mark, no last line's end; comments are told as such."""
    text = "\ufeff# made by x\r\nq\tQ0  a\t1   2.0 t  \r\n\r\n   \n  q Q0 b 2 1.0 t\n# q Q0 c 3 0.5 t\nq Q0 d 4 0.25 t"
    caplog.set_level("INFO", logger="negforge")
    assert [one[1] for one in mined(tmp_path, text, table("a", "b", "c", "d"), asked("q"))] == ["a", "b", "d"]
    assert "no part of the run: comments 2, blank lines 2" in caplog.text


def test_ids_are_text_that_looks_like_numbers(tmp_path: Path) -> None:
    """A corpus and pairs with whole numbers for ids meet a run's text; 007 and 7 are two documents."""
    corpus = pl.DataFrame({"id": [7, 8], "text": ["seven", "eight"]})
    pairs = pl.DataFrame({"anchor_id": [301], "anchor": ["question"], "positive": ["answer"]})
    made = negforge.run(TITLE, pairs, corpus=corpus, run=[written(tmp_path, "301 Q0 7 1 2 t\n301 Q0 007 2 1 t\n0301 Q0 8 1 9 t\n")])
    assert made.kept.select("anchor_id", "negative_id", "negative").rows() == [("301", "7", "seven")]
    assert made.report.counts["passed"] == {"not-in-corpus": 1}


def test_what_has_no_place_is_passed_over_counted_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Docnos that the corpus lacks and repeated ones keep no slot; ranks are still the run's; the first of each is named."""
    text = "q Q0 gone 1 9 t\nq Q0 a 2 8 t\nq Q0 lost 3 7 t\nq Q0 a 4 6 t\nq Q0 b 5 5 t\nnobody Q0 a 1 1 t\nanyone Q0 b 1 1 t\n"
    made = negforge.run(TITLE, asked("q"), corpus=table("a", "b"), run=[written(tmp_path, text)], num_negatives=2)
    assert made.kept.sort("draw").select("negative_id", "rank", "score_run").rows() == [("a", 2, 8.0), ("b", 4, 5.0)]
    assert made.report.counts["passed"] == {"duplicate": 1, "not-in-corpus": 2}
    assert "2 of 7 docnos are not in the corpus, the first is 'gone'" in caplog.text
    assert "repeated docnos of a query: 1" in caplog.text
    assert "2 of 3 queries are no anchor_id of the input, the first is 'anyone'" in caplog.text


def test_an_anchor_without_a_list_is_refused_by_reason(tmp_path: Path) -> None:
    """Not in the run, or with docnos that the corpus lacks; both rows stay, with their texts."""
    text = "q Q0 a 1 9 t\nr Q0 gone 1 9 t\nr Q0 lost 2 8 t\n"
    made = negforge.run(TITLE, asked("q", "r", "s"), corpus=table("a"), run=[written(tmp_path, text)])
    assert made.dropped.sort("source_id").select("source_id", "drop_reason", "drop_value", "anchor").rows() == [
        ("p-r", "not-in-corpus", "2 docnos", "r"),
        ("p-s", "not-in-run", None, "s"),
    ]
    assert made.report.counts["refused"] == {"not-in-corpus": 1, "not-in-run": 1}


def test_the_positives_are_scored_by_the_list(tmp_path: Path) -> None:
    """By their id in the corpus, where the list has them, below the depth too; the anchor's weakest stands on each of its rows."""
    text = "q Q0 x 1 9 t\nq Q0 a 2 8 t\nq Q0 b 3 1 t\nr Q0 a 1 7 t\nr Q0 x 2 6 t\n"
    pairs = pl.DataFrame(
        {"anchor_id": [*"qqqrs"], "anchor": [*"qqqrs"], "positive": ["1", "2", "3", "4", "5"], "positive_id": ["a", "b", "gone", None, "a"]}
    )
    made = negforge.run(TITLE, pairs, corpus=table("a", "b", "x"), run=[written(tmp_path, text)], depth=1)
    rows = made.kept.filter(pl.col("label") == "negative").sort("positive")
    assert rows.select("positive", "negative_id", "score_run_positive", "score_run_weakest").rows() == [
        *(("1", "x", 8.0, 1.0), ("2", "x", 1.0, 1.0), ("3", "x", None, 1.0)),
        ("4", "a", None, None),
    ]
    both = [written(tmp_path, text, "1"), written(tmp_path, text, "2")]
    fused_ = negforge.run(TITLE, pairs, corpus=table("a", "b", "x"), run=both).kept.filter(pl.col("positive") == "1")
    assert fused_["score_rrf_positive"].to_list() == [2 / 62] * fused_.height


def test_depth_counts_candidates(tmp_path: Path) -> None:
    """The best texts are candidates, docnos that the corpus lacks not counted; never fewer than twice the slots."""
    text = "q Q0 gone 1 99 t\n" + "".join(f"q Q0 d{number} 1 {50 - number} t\n" for number in range(9))
    corpus = table(*(f"d{number}" for number in range(9)))
    assert [one[2] for one in mined(tmp_path, text, corpus, asked("q"), depth=3, num_negatives=1)] == [2]
    assert len(mined(tmp_path, text, corpus, asked("q"), depth=1, num_negatives=4)) == 4
    right = asked("q").with_columns(pl.lit("the text of d0").alias("positive"))
    labels = negforge.run(TITLE, right, corpus=corpus, run=[written(tmp_path, text)], depth=1, num_negatives=1).kept
    assert labels.sort("draw").select("negative_id", "label").rows() == [("d0", "positive"), ("d1", "negative")]


@pytest.mark.parametrize(
    ("line", "what", "mend"),
    [
        ("q Q0 a 1", "malformed line of a run", "judgements (qrels)"),
        ("q Q0 a 1 2.0", "malformed line of a run", "is the tag, the last one, missing?"),
        ("q a 2.0", "malformed line of a run", "awk"),
        ("q Q0 a b 1 2.0 t", "malformed line of a run", "qid Q0 docno rank score tag"),
        ("q Q0 a 1 nan t", "the score 'nan' is not a finite number", "leave the line out"),
        ("q Q0 a 1 -inf t", "the score '-inf' is not a finite number", "leave the line out"),
        ("q Q0 a 1 2,5 t", "the score '2,5' is not a finite number", "mend the score"),
        ("q\xa0Q0 a 1 2.0 t", "malformed line of a run", "is the tag, the last one, missing?"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, what: str, mend: str) -> None:
    """File and line, what is wrong and how to mend it, exit code 3."""
    path = written(tmp_path, f"# a comment\n\nq Q0 a 1 3.0 t\n{line}\nalso wrong\n")
    with pytest.raises(InputError) as told:
        negforge.run(TITLE, asked("q"), corpus=table("a"), run=[path])
    assert told.value.what == what
    assert told.value.where.startswith(f"{path}:4: ")
    assert mend in told.value.mend
    assert told.value.exit_code == 3


def test_a_rank_must_be_a_number_only_where_it_counts(tmp_path: Path) -> None:
    """A run with a dash for a rank is a run; by its ranks it cannot be read."""
    text = "q Q0 a - 3.0 t\n"
    assert [one[2] for one in mined(tmp_path, text, table("a"), asked("q"))] == [1]
    with pytest.raises(InputError, match="the rank '-' is not a whole number"):
        mined(tmp_path, text, table("a"), asked("q"), order="rank")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "holds no line of a run"),
        (b"# nothing\n\n", "holds no line of a run"),
        (b"q Q0 a 1 2 t\nq Q0 \xff 2 1 t\n", "a line is not UTF-8"),
        (b"x" * (3 << 20), "a line is longer than 1 MiB"),
        (b"q Q0 a 1 2 t\n" + b"".join(b"q Q0 d%d 1 1 tag%d\n" % (n, n) for n in range(10_001)), "has more than 10,000 tags"),
    ],
)
def test_what_is_no_run_at_all(tmp_path: Path, data: bytes, what: str) -> None:
    """An empty file, other bytes, one endless line, a text for a tag."""
    (tmp_path / "run.txt").write_bytes(data)
    with pytest.raises(InputError, match=what):
        negforge.run(TITLE, asked("q"), corpus=table("a"), run=[str(tmp_path / "run.txt")])


def test_a_line_that_is_not_utf8_is_counted(tmp_path: Path) -> None:
    """The line's number is told, over the pieces that a file is read in."""
    path = tmp_path / "run.txt"
    path.write_bytes(b"q Q0 a 1 2 t\n" * 700_000 + b"q Q0 \xff 2 1 t\n")
    with pytest.raises(InputError) as told:
        negforge.run(TITLE, asked("q"), corpus=table("a"), run=[str(path)])
    assert told.value.where == f"{path}:700001"


def test_a_missing_or_damaged_file(tmp_path: Path) -> None:
    """The nearest name is offered; a packed file that was cut off is no shorter run."""
    written(tmp_path, "q Q0 a 1 2 t\n", "results.trec")
    with pytest.raises(InputError, match=r"there is no file") as told:
        negforge.run(TITLE, asked("q"), corpus=table("a"), run=[str(tmp_path / "result.trec")])
    assert "results.trec" in told.value.mend
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"q Q0 a 1 2 t\n" * 1000)[:-9])
    with pytest.raises(InputError, match="cannot read"):
        negforge.run(TITLE, asked("q"), corpus=table("a"), run=[str(tmp_path / "cut.gz")])
    with pytest.raises(InputError, match="is not a plain file"):
        negforge.run(TITLE, asked("q"), corpus=table("a"), run=[str(tmp_path)])
    with pytest.raises(OptionError, match="--run"):
        negforge.run(TITLE, asked("q"), corpus=table("a"), run=[])


def test_a_run_of_other_pairs_or_another_corpus_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing matches, an id of each side is shown."""
    path = written(tmp_path, "301 Q0 FR94-1 1 2 t\n")
    with pytest.raises(InputError, match=r"no docno of .* is an id of the corpus") as told:
        negforge.run(TITLE, asked("301"), corpus=table("d1"), run=[path])
    assert told.value.where == "the run has 'FR94-1', the corpus 'd1'"
    made = negforge.run(TITLE, asked("q301"), corpus=table("FR94-1"), run=[path])
    assert made.report.counts["refused"] == {"not-in-run": 1}
    assert "no query is an anchor_id of the input: the run has '301', the input 'q301'" in caplog.text


def test_several_tags_in_one_file_are_one_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each candidate has the tag of its own line, and it is told."""
    text = "q Q0 a 1 9 dense\nq Q0 b 2 8 sparse\nq Q0 c 3 7 dense\n"
    assert [(one[1], one[4]) for one in mined(tmp_path, text, table("a", "b", "c"), asked("q"))] == [
        ("a", "dense"),
        ("b", "sparse"),
        ("c", "dense"),
    ]
    assert "holds 2 tags: dense, sparse; it is taken as one run" in caplog.text


# -- several runs ------------------------------------------------------------------------------------------------------

ONE = "q Q0 a 1 30 bm25\nq Q0 b 2 20 bm25\nq Q0 gone 3 15 bm25\nq Q0 c 4 10 bm25\n"
TWO = "q Q0 c 1 0.9 dense\nq Q0 a 2 0.8 dense\nq Q0 d 3 0.7 dense\n"


def fused(folder: Path, *texts: str, **options: Any) -> pl.DataFrame:
    """The rows of fused runs over the corpus a to f, for the anchor q."""
    files = [written(folder, text, f"{number}.trec") for number, text in enumerate(texts)]
    given = {"num_negatives": 9, "corpus": table(*"abcdef"), **options}
    return negforge.run(TITLE, asked("q"), run=files, **given).kept.sort("draw")


def test_several_runs_are_fused_by_reciprocal_rank(tmp_path: Path) -> None:
    """By hand: a 1/61 + 1/62, c 1/64 + 1/61, b 1/62, d 1/63; the sources of each stay, in the order of the flags."""
    made = fused(tmp_path, ONE, TWO)
    assert made["negative_id"].to_list() == ["a", "c", "b", "d"]
    assert made["rank"].to_list() == [1, 2, 3, 4]
    assert made["score_rrf"].to_list() == pytest.approx([1 / 61 + 1 / 62, 1 / 61 + 1 / 64, 1 / 62, 1 / 63], rel=1e-15)
    assert made["miners"].to_list() == [["bm25", "dense"], ["bm25", "dense"], ["bm25"], ["dense"]]
    assert made["miner"].to_list() == ["bm25+dense", "bm25+dense", "bm25", "dense"]
    assert made["ranks"].to_list() == [[1, 2], [4, 1], [2], [3]]
    assert made["run_scores"].to_list() == [[30.0, 0.8], [10.0, 0.9], [20.0], [0.7]]
    assert "score_run" not in made.columns


def test_equal_sums_tie_whatever_runs_they_come_from(tmp_path: Path) -> None:
    """Three ranks in every order sum to the same to the last bit, and ties go by id."""
    names = "abcdef"
    texts = ["", "", ""]
    for name, ranks in zip(names, itertools.permutations((1, 7, 19)), strict=True):
        for number, rank in enumerate(ranks):
            before = [f"{name} Q0 none{place} 0 {100 - place} r{number}\n" for place in range(1, rank)]
            texts[number] += "".join(before) + f"{name} Q0 a 0 {100 - rank} r{number}\n"
    files = [written(tmp_path, text, f"{number}.trec") for number, text in enumerate(texts)]
    made = negforge.run(TITLE, asked(*names), run=files, corpus=table(*names)).kept
    assert made.height == 6
    assert made["score_rrf"].n_unique() == 1


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """The second run of a tag is numbered."""
    made = fused(tmp_path, ONE, ONE.replace("30", "5"))
    assert made["miners"].to_list()[0] == ["bm25", "bm25#2"]


def test_fewer_slots_and_less_depth_begin_with_the_same(tmp_path: Path) -> None:
    """What is fused is read to its end, so that neither slots nor depth change the order."""
    whole = fused(tmp_path, ONE, TWO)["negative_id"].to_list()
    for options in ({"num_negatives": 1, "depth": 1}, {"num_negatives": 2, "depth": 1}, {"num_negatives": 3}):
        part = fused(tmp_path, ONE, TWO, **options)["negative_id"].to_list()
        assert part == whole[: options["num_negatives"]]


def test_lists_are_read_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """However many lines are held together, the rows, what is refused and what is passed over are the same."""
    known = corpus.filter(pl.col("id") != "d025")
    for files in ([str(SAMPLE / "run.trec")], [str(SAMPLE / "run.trec")] * 2):
        found = []
        for lines in (1, 40, 1 << 20):
            monkeypatch.setattr(run, "_LINES_AT_ONCE", lines)
            made = negforge.run(
                TITLE, pairs.with_columns(pl.col("anchor_id").str.replace("q07", "new")), corpus=known, run=files, workers=1
            )
            found.append((made.report.outcome.digests, made.report.counts))
            assert made.report.counts["refused"] == {"not-in-run": 1}
            assert made.report.counts["passed"]["not-in-corpus"] > 0
        assert found[0] == found[1] == found[2]


def test_a_column_of_the_pairs_is_not_lost_to_the_runs(tmp_path: Path) -> None:
    """Fused runs write `ranks`; pairs that have one are refused, with the rename; of one run they travel."""
    pairs = asked("q").with_columns(pl.lit("mine").alias("ranks"))
    files = [written(tmp_path, ONE, "1"), written(tmp_path, TWO, "2")]
    with pytest.raises(InputError, match="column 'ranks' is in the way") as told:
        negforge.run(TITLE, pairs, corpus=table(*"abc"), run=files)
    assert told.value.mend == "pass --rename ranks=source_ranks"
    assert negforge.run(TITLE, pairs, corpus=table(*"abc"), run=files[:1]).kept["ranks"].to_list() == ["mine"]


def test_fused_runs_pass_through_files_and_stages(tmp_path: Path) -> None:
    """The lists survive Parquet and JSON Lines, and a filter after them."""
    for name in ("out.parquet", "out.jsonl"):
        negforge.run(
            TITLE,
            asked("q"),
            run=[written(tmp_path, ONE, "1"), written(tmp_path, TWO, "2")],
            corpus=table(*"abcd"),
            output=str(tmp_path / name),
        )
        assert negforge.run("filter top", str(tmp_path / name), k=1).kept["miners"].to_list() == [["bm25", "dense"]]


# -- the store ---------------------------------------------------------------------------------------------------------


def reference(text: str) -> dict[str, list[tuple[str, float]]]:
    """The definition, as plain Python: for each query its docnos with their best score, in order."""
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        qid, _, docno, _, score, _ = line.split()
        best = found.setdefault(qid, {})
        best[docno] = max(best.get(docno, float(score)), float(score))
    return {qid: sorted(best.items(), key=lambda one: (-one[1], one[0])) for qid, best in found.items()}


LINES = st.lists(
    st.tuples(st.sampled_from("pqrs"), st.sampled_from("abcdxyz"), st.sampled_from([-1.5, 0.0, 1e-9, 2.0, 3e8])), min_size=1, max_size=40
)


@settings(max_examples=40)
@given(lines=LINES, piece=st.sampled_from([1, 7, 64, 1 << 20]), memory=st.sampled_from([8, 1 << 30]))
def test_lists_are_those_of_the_definition(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str, float]], piece: int, memory: int
) -> None:
    """Whatever the lines, the pieces that they are read in and the memory that they are sorted in."""
    folder = tmp_path_factory.mktemp("run")
    text = "".join(f"{qid} Q0 {docno} 0 {score!r} t\n" for qid, docno, score in lines)
    corpus = Corpus(table(*"abcd"), digest=str(folder))
    store = CorpusStore.of(corpus)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_PIECE_BYTES", piece)
        patch.setenv("NEGFORGE_CACHE", str(folder / "cache"))
        made = pickle.loads(pickle.dumps(RunStore.of(Path(written(folder, text)), corpus, store, "score", memory)))
    qids = pl.Series([*"pqrst"])
    found = made.lists(qids)
    expected = reference(text)
    for number, qid in enumerate(qids):
        mine = found.owner == number
        lists = expected.get(qid, [])
        assert found.row[mine].tolist() == ["abcd".find(docno) for docno, _ in lists]
        assert found.score[mine].tolist() == [score for _, score in lists]
        assert found.rank[mine].tolist() == [*range(1, len(lists) + 1)]
        assert found.there[number] == (qid in expected)
    assert made.facts.repeated == len(lines) - sum(map(len, expected.values())) == int(found.repeated.sum())
    assert made.facts.unknown == sum(docno in "xyz" for lists in expected.values() for docno, _ in lists)


def test_a_packed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain, gz and zst, under any name: one store, the same ids; another content has others."""
    monkeypatch.setenv("NEGFORGE_CACHE", str(tmp_path / "cache"))
    text = "q Q0 a 1 2 t\nq Q0 b 2 1 t\n"
    (tmp_path / "run.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "other.zst").write_bytes(pa.compress(text.encode(), "zstd", asbytes=True))
    files = [
        written(tmp_path, text),
        str(tmp_path / "run.gz"),
        str(tmp_path / "other.zst"),
        written(tmp_path, text.replace("2 1", "2 1.5"), "changed"),
    ]
    ids = [negforge.run(TITLE, asked("q"), corpus=table("a", "b"), run=[file], num_negatives=2).kept["id"].to_list() for file in files]
    assert ids[0] == ids[1] == ids[2]
    assert not {*ids[0]} & {*ids[3]}
    assert len([*(tmp_path / "cache").glob("run-*")]) == 2


def test_a_pipeline_sees_that_a_run_has_changed(tmp_path: Path) -> None:
    """A stage is skipped while the file holds the same, and made anew once it does not."""
    asked("q").write_parquet(tmp_path / "pairs.parquet")
    table("a", "b").write_parquet(tmp_path / "corpus.parquet")
    run = written(tmp_path, "q Q0 a 1 2 t\nq Q0 b 2 1 t\n")
    stage = {
        "name": "mine",
        "use": TITLE,
        "input": str(tmp_path / "pairs.parquet"),
        "corpus": str(tmp_path / "corpus.parquet"),
        "run": [run],
    }
    body = "[[stage]]\n" + "".join(
        f"{key} = {json.dumps(value)}\n" for key, value in {**stage, "output": str(tmp_path / "out.parquet")}.items()
    )
    (tmp_path / "p.toml").write_text(body, encoding="utf-8")

    def made() -> tuple[str, str]:
        result = CliRunner().invoke(app, ["run", str(tmp_path / "p.toml")])
        assert result.exit_code == 0, result.stderr
        return result.stderr, pl.read_parquet(tmp_path / "out.parquet")["negative_id"].item()

    assert made()[1] == "a"
    assert "skipped" in made()[0]
    written(tmp_path, "q Q0 a 1 2 t\nq Q0 b 2 3 t\n")
    assert made()[1] == "b"
    plan = CliRunner().invoke(app, ["run", str(tmp_path / "p.toml"), "--dry-run", "--json"])
    assert run in plan.stdout


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr; a bad line leaves with code 3."""
    ingest = ["ingest", "corpus", str(SAMPLE / "beir" / "corpus.jsonl"), "--id", "_id", "-o", str(tmp_path / "corpus.parquet")]
    assert CliRunner().invoke(app, ingest).exit_code == 0
    given = ["generate", "mine.run", str(SAMPLE / "pairs.jsonl"), "--corpus", str(tmp_path / "corpus.parquet"), "--limit", "2"]
    result = CliRunner().invoke(app, [*given, "--run", str(SAMPLE / "run.trec"), "--to", "jsonl", "-n", "2"])
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert {(one["anchor_id"], one["miner"]) for one in rows} == {("q01", "bm25"), ("q02", "bm25")}
    assert "asked 4, emitted 4" in result.stderr
    result = CliRunner().invoke(app, [*given, "--run", written(tmp_path, "q01 0 d003 1\n"), "--to", "jsonl"])
    assert (result.exit_code, result.stdout) == (3, "")
    assert "run.trec:1: q01 0 d003 1" in result.stderr


# -- real runs ---------------------------------------------------------------------------------------------------------


def test_the_run_that_trec_eval_ships(tmp_path: Path, real_data: Path) -> None:
    """1,500 lines of three topics in the order of docnos: all come out by score, without a line lost."""
    file = real_data / "trec_adhoc" / "results.test"
    lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    corpus = table(*sorted({line[2] for line in lines}))
    made = negforge.run(TITLE, asked("301", "302", "303"), corpus=corpus, run=[str(file)], num_negatives=500, depth=500)
    assert made.report.counts["emitted"] == 1500
    assert {*made.kept["miner"]} == {"STANDARD"}
    expected = reference(file.read_text(encoding="utf-8"))
    for (topic,), rows in made.kept.group_by("anchor_id"):
        ordered = rows.sort("rank")
        assert [*zip(ordered["negative_id"], ordered["score_run"], strict=True)] == expected[str(topic)]
        assert ordered["rank"].to_list() == [*range(1, 501)]


def test_a_run_of_bm25_over_scifact_gives_what_bm25_gives(tmp_path: Path, real_data: Path) -> None:
    """Written to a run file, the lists of another miner come back as they were: same texts, ranks, labels and scores."""
    folder = real_data / "scifact"
    negforge.run("ingest beir", str(folder), split="train", output=str(tmp_path / "pairs.parquet"))
    negforge.run("ingest corpus", str(folder / "corpus.jsonl.gz"), output=str(tmp_path / "corpus.parquet"))
    pairs, corpus = pl.read_parquet(tmp_path / "pairs.parquet"), pl.read_parquet(tmp_path / "corpus.parquet")
    state = bm25.prepare(Corpus(corpus, digest="scifact for a run"), 1 << 30)
    found = bm25.generate(Pairs(pairs), state, Rng(0, "bm25"), num_negatives=1, depth=30).rows
    found = found.with_columns(state.corpus.take(found["corpus_row"].to_numpy())["id"].alias("docno"))
    lines = [f"{one['anchor_id']} Q0 {one['docno']} {one['rank']} {one['score_bm25']!r} bm25\n" for one in found.to_dicts()]
    run = written(tmp_path, "".join(reversed(lines)))
    given: dict[str, Any] = {"corpus": str(tmp_path / "corpus.parquet"), "num_negatives": 8, "depth": 30}
    mine = negforge.run(TITLE, str(tmp_path / "pairs.parquet"), run=[run], **given)
    theirs = negforge.run("generate mine.bm25", str(tmp_path / "pairs.parquet"), **given)
    names = ["source_id", "negative_id", "rank", "label", "draw", "miner"]
    assert mine.kept.select(*names, score=pl.col("score_run")).equals(theirs.kept.select(*names, score=pl.col("score_bm25")))
    assert mine.report.counts["emitted"] == 6472


LISTS = "".join(f"q Q0 d{place:02d} 1 {50 - place} tag\n" for place in range(40)) + "r Q0 d03 1 9 tag\nr Q0 d04 2 8 tag\nr Q0 d05 3 7 tag\n"


def test_near_the_positive_in_the_list(tmp_path: Path) -> None:
    """SimANS: a huge `a` takes what scores nearest the positive, `shift` moves it; a positive that is not listed, the end of the list."""
    corpus = table(*(f"d{place:02d}" for place in range(40)))
    pairs = asked("q", "r").with_columns(pl.Series("positive_id", ["d20", "d39"]))
    given: dict[str, Any] = {"num_negatives": 2, "sampling": "near-positive", "sharpness": 1e6}
    found = mined(tmp_path, LISTS, corpus, pairs, **given)
    assert {one[1] for one in found if one[0] == "q"} == {"d19", "d20", "d21"}
    assert [one[1] for one in found if one[0] == "r"] == ["d05", "d04"]
    moved = mined(tmp_path, LISTS, corpus, pairs, **given, shift=10.0)
    assert [one[1:4] for one in moved if one[0] == "q"][:1] == [("d30", 31, 20.0)]


def test_a_sampled_list_is_drawn_for_each_anchor(tmp_path: Path) -> None:
    """The seed and the anchor decide, batches do not; rank and score stay those of the list."""
    corpus, pairs = table(*(f"d{place:02d}" for place in range(40))), asked("q", "r")
    runs = [mined(tmp_path, LISTS, corpus, pairs, sampling="random", batch_size=size) for size in (1, 100)]
    assert runs[0] == runs[1] != mined(tmp_path, LISTS, corpus, pairs, sampling="random", seed=1)
    assert all(rank == 51 - score for anchor, _, rank, score, _ in runs[0] if anchor == "q")
    assert {one[1] for one in runs[0] if one[0] == "r"} == {"d03", "d04", "d05"}


def test_a_list_that_begins_with_many_positives_leaves_candidates(tmp_path: Path) -> None:
    """As many more are looked at as an anchor has positives."""
    ids = [f"d{place:03d}" for place in range(170)]
    run = tmp_path / "many.trec"
    run.write_text("".join(f"a Q0 {one} {place + 1} {500 - place} tag\n" for place, one in enumerate(ids)), encoding="utf-8")
    corpus = pl.DataFrame({"id": ids, "text": [f"text {one}" for one in ids]})
    pairs = pl.DataFrame({"id": ids[:150], "anchor_id": "a", "anchor": "what?", "positive": corpus["text"][:150], "positive_id": ids[:150]})
    made = negforge.run("generate mine.run", pairs, corpus=corpus, run=[str(run)], num_negatives=5)
    assert (made.report.counts["emitted"], made.report.counts["short"]) == (5, 0)
    assert made.kept.filter(pl.col("label") == "negative")["negative_id"].unique().sort().to_list() == ids[150:155]

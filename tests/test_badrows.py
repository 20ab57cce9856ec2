"""`--max-bad-rows N`: rows that cannot be read become dropped rows that say where they stood, and nothing else changes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import negforge
from negforge.badrows import BadRows
from negforge.errors import InputError
from negforge.store import Dataset
from tests.conftest import ROOT
from tests.shell import call, good, shell

CORPUS = ROOT / "sample_data/beir/corpus.jsonl"


def pair(number: int, **more: Any) -> bytes:
    return json.dumps({"anchor": f"who is {number}?", "positive": f"it is {number}", **more}).encode() + b"\n"


JSON_LINES: tuple[tuple[bytes, str], ...] = (
    (b'{"anchor": "cut", "posi\n', "malformed"),
    (b'{"anchor": "caf\xe9", "positive": "x"}\n', "not-utf8"),
    (b"[1, 2]\n", "not-an-object"),
    (b'{"anchor": "a", "anchor": "b", "positive": "x"}\n', "repeated-key"),
    (b'{"anchor": "one", "positive": ["a list"]}\n', "mixed-types"),
    (b'{"anchor": "deep", "positive": "x", "extra": ' + b"[" * 50 + b"]" * 50 + b"}\n", "mixed-types"),
    (b'{"anchor": " ", "positive": "x"}\n', "blank-anchor"),
    (b'{"anchor": "no positive"}\n', "blank-positive"),
)
CELLS: tuple[tuple[bytes, str], ...] = (
    (b"too,many,cells,here\n", "ragged"),
    (b"few\n", "ragged"),
    (b'a quote,"in"side,1\n', "malformed"),
    (b"caf\xe9,x,1\n", "not-utf8"),
    (b"not a number,x,high\n", "not-number"),
    (b",no anchor,1\n", "blank-anchor"),
)


def dropped(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path.with_suffix(".dropped.parquet"))


def test_a_bad_line_of_plain_text_is_dropped(tmp_path: Path) -> None:
    """One text a line: the line that is no UTF-8 goes, with its number; a list of labels needs no header and no quotes."""
    (tmp_path / "labels.txt").write_bytes(b"use a lathe\ncaf\xe9\n\nlead a team, or two\n")
    assert call("ingest", "corpus", tmp_path / "labels.txt", "-o", tmp_path / "no.parquet").code == 3
    good("ingest", "corpus", tmp_path / "labels.txt", "--id", "text", "--max-bad-rows", "1", "-o", tmp_path / "made.parquet")
    made = pl.read_parquet(tmp_path / "made.parquet")
    assert made.select("id", "text").sort("id").rows() == [("lead a team, or two",) * 2, ("use a lathe",) * 2]
    assert "labels.txt:2" in str(dropped(tmp_path / "made.parquet").rows())


@pytest.mark.parametrize(("line", "reason"), JSON_LINES)
def test_a_bad_line_of_json_is_dropped(line: bytes, reason: str, tmp_path: Path) -> None:
    """It is named with file, line and text; the rows around it are as if it were not there."""
    (tmp_path / "given.jsonl").write_bytes(pair(1) + pair(2) + line + pair(3))
    (tmp_path / "whole.jsonl").write_bytes(pair(1) + pair(2) + pair(3))
    assert call("ingest", "pairs", tmp_path / "given.jsonl", "-o", tmp_path / "no.parquet").code == 3
    done = good("ingest", "pairs", tmp_path / "given.jsonl", "--max-bad-rows", "1", "-o", tmp_path / "made.parquet")
    assert f"seen 4, kept 3, dropped 1: {reason} 1 (rows)" in done.err
    good("ingest", "pairs", tmp_path / "whole.jsonl", "-o", tmp_path / "whole.parquet")
    kept = ["id", "anchor_id", "anchor", "positive"]
    assert pl.read_parquet(tmp_path / "made.parquet")[kept].equals(pl.read_parquet(tmp_path / "whole.parquet")[kept])
    row = dropped(tmp_path / "made.parquet").row(0, named=True)
    assert (row["dropped_by"], row["drop_reason"], row["anchor"]) == ("ingest pairs", reason, None)
    assert row["drop_value"].startswith("given.jsonl:3: ")
    shown = line.decode(errors="backslashreplace").strip()[:200]
    assert row["drop_value"].endswith(shown) or json.loads(shown) == json.loads(row["drop_value"].partition(":3: ")[2])
    assert len(row["id"]) == 32


@pytest.mark.parametrize(("line", "reason"), CELLS)
def test_a_bad_row_of_csv_is_dropped(line: bytes, reason: str, tmp_path: Path) -> None:
    """A quote in the wrong place takes no row after it along."""
    head, tail = b"anchor,positive,relevance\na1,p1,1\n", b'a2,"p\n2",2\na3,p3,3\n'
    (tmp_path / "given.csv").write_bytes(head + line + tail)
    assert call("ingest", "pairs", tmp_path / "given.csv", "-o", tmp_path / "no.parquet").code == 3
    good("ingest", "pairs", tmp_path / "given.csv", "--max-bad-rows", "1", "-o", tmp_path / "made.parquet")
    assert pl.read_parquet(tmp_path / "made.parquet")["positive"].to_list() == ["p1", "p\n2", "p3"]
    row = dropped(tmp_path / "made.parquet").row(0, named=True)
    shown = line.decode(errors="backslashreplace").strip()
    assert (row["drop_reason"], row["drop_value"]) == (reason, f"given.csv:3: {shown}")


def test_a_quote_that_never_ends_takes_one_row(tmp_path: Path) -> None:
    """An open quote reads to the end of the file; the lines after the first are read again."""
    (tmp_path / "given.csv").write_text('anchor,positive\n"a1,p1\n' + "".join(f"a{number},p{number}\n" for number in range(2, 50)))
    good("ingest", "pairs", tmp_path / "given.csv", "--max-bad-rows", "1", "-o", tmp_path / "made.parquet")
    assert pl.read_parquet(tmp_path / "made.parquet").height == 48


def test_lists_that_do_not_go_together_are_dropped(tmp_path: Path) -> None:
    """A row whose list of ids is not as long as its list of positives, and one with a blank among them."""
    rows = [("a", ["x", "y"], ["1", "2"]), ("b", ["x"], ["1", "2"]), ("c", ["x", " "], ["3", "4"]), ("d", ["z"], ["5"])]
    lines = [json.dumps({"anchor": anchor, "positive": texts, "positive_id": ids}) for anchor, texts, ids in rows]
    (tmp_path / "given.jsonl").write_text("\n".join(lines))
    good("ingest", "pairs", tmp_path / "given.jsonl", "--max-bad-rows", "2", "-o", tmp_path / "made.parquet")
    assert pl.read_parquet(tmp_path / "made.parquet")["anchor"].to_list() == ["a", "a", "d"]
    found = dropped(tmp_path / "made.parquet").select("drop_reason", "drop_value").rows()
    assert sorted((reason, value.partition(": ")[0]) for reason, value in found) == [
        ("blank-positive", "given.jsonl:3"),
        ("list-sizes", "given.jsonl:2"),
    ]


def test_one_bad_row_too_many_names_all_kinds(tmp_path: Path) -> None:
    """Each kind of fault with its count and first place; nothing is written."""
    (tmp_path / "given.jsonl").write_bytes(pair(1) + b"".join(line for line, _ in JSON_LINES))
    done = call("ingest", "pairs", tmp_path / "given.jsonl", "--max-bad-rows", "7", "-o", tmp_path / "made.parquet")
    assert done.code == 3
    assert done.err.startswith("error: more than 7 bad rows, the last of them: ")
    given_file = tmp_path / "given.jsonl"
    assert f"malformed 1 (first {given_file}:2); not-utf8 1 (first {given_file}:3)" in done.err
    assert f"mixed-types 2 (first {given_file}:6)" in done.err
    assert "mend: mend them, or allow more with --max-bad-rows" in done.err
    assert [one.name for one in tmp_path.iterdir()] == ["given.jsonl"]


def test_rows_of_other_formats_are_named_by_number(tmp_path: Path) -> None:
    """A Parquet file has no lines: the row's number, and the row as JSON."""
    frame = pl.DataFrame({"anchor": ["a", None, "c"], "positive": ["p", "q", " "], "image": ["1", "2", "3"]})
    frame.write_parquet(tmp_path / "given.parquet")
    good("ingest", "pairs", tmp_path / "given.parquet", "--max-bad-rows", "2", "-o", tmp_path / "made.parquet")
    place = "given.parquet"
    assert dropped(tmp_path / "made.parquet")["drop_value"].to_list() == [
        f'{place} row 2: {{"image": "2", "anchor": null, "positive": "q"}}',
        f'{place} row 3: {{"image": "3", "anchor": "c", "positive": " "}}',
    ]
    (tmp_path / "given.json").write_text('[{"anchor": "a", "positive": "p"}, 5, {"anchor": "a", "positive": 7}]')
    good("ingest", "pairs", tmp_path / "given.json", "--max-bad-rows", "2", "-o", tmp_path / "made.parquet")
    assert set(dropped(tmp_path / "made.parquet")["drop_reason"]) == {"not-an-object", "mixed-types"}


def test_a_corpus_and_a_packed_file_too(tmp_path: Path) -> None:
    """Every reader of files takes the setting; a folder's does not."""
    (tmp_path / "given.jsonl.gz").write_bytes(gzip.compress(b'{"_id": "1", "text": "t"}\n{"_id": null, "text": "t"}\n{bad\n'))
    done = good("ingest", "corpus", tmp_path / "given.jsonl.gz", "--max-bad-rows", "2", "-o", tmp_path / "made.parquet")
    assert "seen 3, kept 1, dropped 2: blank-id 1, malformed 1 (rows)" in done.err
    done = call("ingest", "beir", ROOT / "sample_data/beir", "--max-bad-rows", "2", "-o", tmp_path / "no.parquet")
    assert done.code == 2


@given(
    st.lists(st.sampled_from([None, *range(len(JSON_LINES))]), max_size=20),
    st.integers(1, 7),
)
def test_batches_do_not_change_what_is_dropped(plan: list[int | None], rows: int) -> None:
    """However a file's lines come in frames, the same ones are bad, for the same reasons, and the rest is whole."""
    import io

    from negforge.formats import READERS

    lines = [pair(0)] + [pair(number) if one is None else JSON_LINES[one][0] for number, one in enumerate(plan, start=1)]
    data = b"".join(lines)
    found = []
    for size in (rows, 1000):
        bad = BadRows(100)
        frames = list(READERS["jsonl"](io.BytesIO(data), "given", size, [], bad))
        found.append((sorted(bad.rows), sum(frame.height for frame in frames)))
    assert found[0] == found[1]
    assert len(found[0][0]) + found[0][1] == len(lines)


def test_bad_rows_travel_to_the_end(tmp_path: Path) -> None:
    """Through a pipe, `generate` and a filter into a dataset's dropped rows; no operator sees them, and all are counted."""
    (tmp_path / "given.jsonl").write_bytes(b"".join(pair(number) for number in range(5)) + JSON_LINES[0][0] + JSON_LINES[6][0])
    good("ingest", "corpus", CORPUS, "-o", tmp_path / "corpus.parquet")
    line = (
        "negforge ingest pairs given.jsonl --max-bad-rows 2 | negforge generate mine.random --corpus corpus.parquet -n 2 --workers 1"
        " | negforge filter top --k 1 --by draw | negforge dedupe exact -o set --json"
    )
    done = shell(line, tmp_path)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["counts"]["dropped"]["before"] == 5 + 2
    assert report["counts"]["seen"] == report["counts"]["kept"] + sum(report["counts"]["dropped"].values())
    rest = pl.concat([pl.read_parquet(path) for path in sorted((tmp_path / "set/.negforge/v1/dropped").glob("*.parquet"))])
    bad = rest.filter(pl.col("dropped_by") == "ingest pairs").sort("drop_reason")
    assert bad["drop_reason"].to_list() == ["blank-anchor", "malformed"]
    assert bad["drop_value"].str.starts_with("given.jsonl:").all()
    assert bad["id"].n_unique() == 2


def test_generate_counts_what_was_dropped_before(tmp_path: Path) -> None:
    """From a file with its twin, and from a dataset; a limit leaves no bad row out and takes no slot for one."""
    (tmp_path / "given.jsonl").write_bytes(b"".join(pair(number) for number in range(5)) + JSON_LINES[0][0])
    good("ingest", "corpus", CORPUS, "-o", tmp_path / "corpus.parquet")
    for out in ("pairs.parquet", "set"):
        good("ingest", "pairs", tmp_path / "given.jsonl", "--max-bad-rows", "1", "-o", tmp_path / out)
        for more, kept in (([], 5), (["--limit", "2"], 2)):
            words: list[str | Path] = ["generate", "mine.random", tmp_path / out, "--corpus", tmp_path / "corpus.parquet", *more]
            done = good(*words, "--json", "-o", tmp_path / "made.parquet")
            counts = json.loads(done.out)["counts"]
            assert (counts["seen"], counts["kept"], counts["dropped"]) == (kept + 1, kept, {"before": 1})
            assert "dropped before: 1 row" in done.err
            assert dropped(tmp_path / "made.parquet")["drop_reason"].to_list() == ["malformed"]
    edited = good("generate", "perturb.number", tmp_path / "pairs.parquet", "--json", "-o", tmp_path / "made.parquet")
    assert json.loads(edited.out)["counts"]["dropped"]["before"] == 1


def test_tables_with_and_without_bad_rows_are_one(tmp_path: Path) -> None:
    """A table that has dropped rows beside another that has none."""
    (tmp_path / "one.jsonl").write_bytes(pair(1) + b"{bad\n")
    (tmp_path / "two.jsonl").write_bytes(pair(2))
    good("ingest", "pairs", tmp_path / "one.jsonl", "--max-bad-rows", "1", "-o", tmp_path / "one.parquet")
    good("ingest", "pairs", tmp_path / "two.jsonl", "-o", tmp_path / "two.parquet")
    words: list[str | Path] = [
        "generate",
        "perturb.number",
        tmp_path / "one.parquet",
        tmp_path / "two.parquet",
        "--json",
        "-o",
        tmp_path / "made.parquet",
    ]
    assert json.loads(good(*words).out)["counts"]["dropped"]["before"] == 1


def test_python_takes_the_setting() -> None:
    """A frame's bad rows come back as the result's dropped ones, with their number."""
    result = negforge.run("ingest pairs", pl.DataFrame({"anchor": ["a", ""], "positive": ["p", "q"]}), max_bad_rows=1)
    assert result.kept["anchor"].to_list() == ["a"]
    assert result.dropped["drop_value"].to_list() == ['the given frame row 2: {"anchor": "", "positive": "q"}']


def test_a_number_too_large_is_a_bad_row(tmp_path: Path) -> None:
    """The parser takes it for an infinite one; the word for that, which Python writes, is a number as before."""
    lines = [pair(1, x=1.5), b'{"anchor": "a", "positive": "p", "x": -1e999}\n', pair(2, x=float("inf")), pair(3, y=[2.5])]
    (tmp_path / "given.jsonl").write_bytes(b"".join([*lines, b'{"anchor": "b", "positive": "p", "y": [1e400]}\n']))
    good("ingest", "pairs", tmp_path / "given.jsonl", "--max-bad-rows", "2", "-o", tmp_path / "made.parquet")
    assert pl.read_parquet(tmp_path / "made.parquet")["x"].to_list() == [1.5, float("inf"), None]
    found = dropped(tmp_path / "made.parquet").select("drop_reason", pl.col("drop_value").str.extract(r":([0-9]+): ")).rows()
    assert sorted(found) == [("too-large", "2"), ("too-large", "5")]


def test_rows_in_another_order_are_the_same_dataset(tmp_path: Path) -> None:
    """Bad lines keep their ids wherever they stand, equal ones too; no second version is made of a file that was shuffled."""
    lines = [pair(1), b"{bad\n", pair(2), b"{bad\n", JSON_LINES[6][0], b"{worse\n", pair(3)]
    given_file = tmp_path / "given.jsonl"
    found = []
    for order in (lines, lines[::-1], lines[3:] + lines[:3]):
        given_file.write_bytes(b"".join(order))
        good("ingest", "pairs", given_file, "--max-bad-rows", "4", "-o", tmp_path / "set")
        good("ingest", "pairs", given_file, "--max-bad-rows", "4", "-o", tmp_path / "made.parquet")
        found.append(sorted(dropped(tmp_path / "made.parquet")["id"]))
        places = dropped(tmp_path / "made.parquet")["drop_value"].str.extract(r":([0-9]+): ").cast(pl.Int64)
        assert [order[place - 1] in (b"{bad\n", b"{worse\n", JSON_LINES[6][0]) for place in places] == [True] * 4
    assert Dataset(tmp_path / "set").versions() == [1]
    assert found[0] == found[1] == found[2]
    assert len({*found[0]}) == 4
    for one in ("set", "made.parquet"):
        assert call("check", tmp_path / one).code == 0


def test_a_file_in_another_folder_is_the_same_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder is in no id; equal lines of two files have ids apart, and each says its file's name alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep").mkdir()
    for name in ("a.jsonl", "deep/a.jsonl", "c.csv"):
        (tmp_path / name).write_bytes(pair(1) + b"{bad\n" if name != "c.csv" else b"anchor,positive\nwho,it\n,so\n")
    found = []
    for first in ("a.jsonl", "./a.jsonl", tmp_path / "a.jsonl", "deep/../a.jsonl", "deep/a.jsonl"):
        good("ingest", "pairs", first, "c.csv", "--max-bad-rows", "2", "-o", tmp_path / "set")
        good("ingest", "pairs", first, "c.csv", "--max-bad-rows", "2", "-o", tmp_path / "made.parquet")
        rest = dropped(tmp_path / "made.parquet")
        assert rest["drop_value"].str.extract(r"^(.*?):[0-9]+: ").to_list() == [Path(first).name, "c.csv"]
        found.append(rest["id"].to_list())
    assert Dataset(tmp_path / "set").versions() == [1]
    assert all(one == found[0] for one in found)
    good("ingest", "pairs", "a.jsonl", "deep/a.jsonl", "--max-bad-rows", "2", "-o", tmp_path / "made.parquet")
    assert dropped(tmp_path / "made.parquet")["id"].n_unique() == 2


def test_a_run_without_bad_rows_is_the_same(tmp_path: Path) -> None:
    """The setting alone changes no byte of a file."""
    (tmp_path / "given.jsonl").write_bytes(pair(1) + pair(2))
    for name, more in (("one", []), ("two", ["--max-bad-rows", "9"])):
        good("ingest", "pairs", tmp_path / "given.jsonl", *more, "-o", tmp_path / f"{name}.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["given.jsonl", "one.parquet", "two.parquet"]


def test_none_allowed_raises_the_first() -> None:
    """The error itself, as it was before anyone counted."""
    with pytest.raises(InputError, match="this one"):
        BadRows().take(InputError("this one"), "reason", "place", "text")


@pytest.mark.parametrize("place", ["set", "made.parquet"])
def test_a_digest_over_lines_is_as_good(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was made when the digest of dropped rows held the line of a bad one is not called damaged; altered rows are."""
    (tmp_path / "given.jsonl").write_bytes(pair(1) + b"{bad\n" + pair(2))
    with monkeypatch.context() as before:
        before.setattr("negforge.sinks.placeless", lambda dropped: dropped)
        good("ingest", "pairs", tmp_path / "given.jsonl", "--max-bad-rows", "1", "-o", tmp_path / place)
    (old,) = negforge.check(tmp_path / place)
    assert (old.findings, old.dropped) == ([], 1)
    monkeypatch.setattr("negforge.sinks.Digests.holds", lambda self, name, digest: self.named().get(name) == digest)
    assert [one.law for one in negforge.check(tmp_path / place)[0].findings] == ["digest"]

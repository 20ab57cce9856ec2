"""How a stage runs: order of rows, limits, known positives, memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

import negforge
from negforge import rng, runner
from negforge.engine import ordered_map
from negforge.errors import InputError, NegforgeError
from negforge.generating import generate_batch
from negforge.report import Counts


def numbered(count: int) -> pl.DataFrame:
    """Pairs with a number to change in every other positive."""
    return pl.DataFrame(
        {
            "id": [f"p{number:06d}" for number in range(count)],
            "anchor": [f"how many boxes are in room {chr(97 + number % 26)}" for number in range(count)],
            "positive": [
                f"There are {number + 20} boxes." if number % 2 == 0 else f"No box stands in hall {chr(97 + number % 26)}."
                for number in range(count)
            ],
        }
    )


def test_a_row_stage_keeps_the_order_of_its_input() -> None:
    """Kept rows come in the order of their sources, with any number of workers."""
    pairs = numbered(400).sample(fraction=1, shuffle=True, seed=5)
    for workers in (1, 2):
        made = negforge.run("generate perturb.number", pairs, batch_size=37, workers=workers).kept
        order = {one: place for place, one in enumerate(pairs["id"])}
        places = [order[one] for one in made["source_id"]]
        assert places == sorted(places)
        assert made.height > 100


def test_an_anchor_stage_leaves_hash_order() -> None:
    """After an anchor step rows stand by the hash of their anchor, an anchor's rows together."""
    corpus = pl.DataFrame({"id": [str(n) for n in range(30)], "text": [f"text {n}" for n in range(30)]})
    pairs = pl.DataFrame({"anchor": [f"a{n}" for n in range(50)], "positive": [f"p{n}" for n in range(50)]})
    made = negforge.run("generate mine.random", pairs, corpus=corpus, num_negatives=2, batch_size=7).kept
    hashes = rng.hash64(made["anchor_id"]).tolist()
    assert hashes == sorted(hashes)


def test_limit_takes_the_first_anchors_by_id_and_trims_no_side_table(pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """With --limit the rows are those of the full run for these anchors; positives of the others stay known."""
    full = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=3).kept
    few = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=3, limit=5).kept
    first = sorted(set(pairs["anchor_id"]))[:5]
    assert few.sort("id").equals(full.filter(pl.col("anchor_id").is_in(first)).sort("id"))


def test_a_row_whose_candidate_was_vetoed_is_asked_for_more() -> None:
    """The next candidate takes the slot of a known positive, in the order that more slots would have had; others keep theirs."""
    pairs = pl.DataFrame({"id": ["a", "b"], "anchor": ["x", "y"], "positive": ["He sold 24 cups.", "She sold 36 pears."]})
    free = negforge.run("generate perturb.number", pairs).kept
    known = pl.DataFrame({"id": ["c"], "anchor": ["z"], "positive": [free["negative"][0]]})
    made = negforge.run("generate perturb.number", pl.concat([pairs, known]))
    mine = made.kept.filter(pl.col("source_id") == "a")
    assert mine.select("label", "draw").rows() == [("positive", 0), ("negative", 1)]
    more = negforge.run("generate perturb.number", pairs, num_negatives=2).kept.filter(pl.col("source_id") == "a")
    assert mine["negative"].to_list() == more["negative"].to_list()
    assert (
        made.kept.filter(pl.col("source_id") == "b")["negative"].to_list() == free.filter(pl.col("source_id") == "b")["negative"].to_list()
    )
    assert made.report.counts["vetoed"] == {"known-positive": 1}


def test_a_written_text_is_compared_with_positives_beyond_the_limit() -> None:
    """An edit that makes another row's positive is vetoed although --limit leaves that row out."""
    pairs = pl.DataFrame(
        {
            "id": ["p1", *(f"q{number}" for number in range(4, 200))],
            "anchor_id": ["a", *("z" for _ in range(4, 200))],
            "anchor": ["how many boxes", *("other" for _ in range(4, 200))],
            "positive": ["There are 20 boxes.", *(f"there are {number} boxes" for number in range(4, 200) if number != 20), "x"],
        }
    )
    made = negforge.run("generate perturb.number", pairs, num_negatives=1, limit=1)
    assert made.report.counts["emitted"] == 0
    assert made.report.counts["vetoed"]["known-positive"] > 0
    assert (made.kept["label"] == "positive").all()
    free = negforge.run("generate perturb.number", pairs, num_negatives=1, limit=1, verify=False)
    assert free.report.counts["emitted"] == 1


def test_the_text_of_a_positives_passage_is_known_too() -> None:
    """When mining, a copy of the passage that `positive_id` names is vetoed although the positive is worded otherwise."""
    corpus = pl.DataFrame({"id": ["d1", "d2", "d3"], "text": ["apples grow on trees", "APPLES  grow on trees", "apples are red"]})
    pairs = pl.DataFrame({"anchor": ["where do apples grow"], "positive": ["On trees."], "positive_id": ["d1"]})
    made = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=3).kept
    assert dict(zip(made["negative_id"], made["label"], strict=True)) == {"d1": "positive", "d2": "positive", "d3": "negative"}


def test_one_anchor_id_with_two_anchors_is_an_error() -> None:
    """An anchor_id names one anchor; two texts under it are bad data, by name."""
    corpus = pl.DataFrame({"id": ["d"], "text": ["x"]})
    pairs = pl.DataFrame({"anchor_id": ["same", "same"], "anchor": ["one", "two"], "positive": ["p", "q"]})
    with pytest.raises(InputError) as error:
        negforge.run("generate mine.random", pairs, corpus=corpus)
    assert "same" in error.value.what


def test_an_error_in_a_worker_arrives_whole() -> None:
    """What a worker process complains about has the same what, where and mend as in this one."""
    pairs = pl.DataFrame({"anchor_id": ["same"] * 40, "anchor": [f"a{n}" for n in range(40)], "positive": [f"p{n}" for n in range(40)]})
    more = pl.DataFrame(
        {"anchor_id": [f"x{n}" for n in range(40)], "anchor": [f"b{n}" for n in range(40)], "positive": [f"q{n}" for n in range(40)]}
    )
    corpus = pl.DataFrame({"id": ["d"], "text": ["x"]})
    found = []
    for workers in (1, 2):
        with pytest.raises(NegforgeError) as error:
            negforge.run("generate mine.random", pl.concat([pairs, more]), corpus=corpus, workers=workers, batch_size=3)
        found.append(str(error.value))
    assert found[0] == found[1]


def test_a_number_of_workers_that_was_asked_for_is_had() -> None:
    """Few rows of free work stay in one process only where nobody said how many."""
    used: list[int] = []
    real = ordered_map

    def watched(work: Any, batches: Any, workers: int) -> Any:
        used.append(workers)
        return real(work, batches, 1)

    pairs = numbered(300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "ordered_map", watched)
        negforge.run("generate perturb.number", pairs)
        negforge.run("generate perturb.number", pairs, workers=3)
    assert used == [1, 3]


@pytest.mark.parametrize("spent", [(1, 0, 0, 0, 1), (0, 0, 1, 0, 1), (0, 0, 0, 0, 10)])
@pytest.mark.parametrize("verb", ["generate perturb.number", "generate mine.random"])
def test_slow_work_is_handed_over_about_once_a_second(verb: str, spent: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches shrink until one takes a second of CPU, its children's too, or ten of waiting; the rows stay the same."""
    corpus = pl.DataFrame({"id": [str(n) for n in range(9)], "text": [f"text {n}" for n in range(9)]})
    given: dict[str, Any] = {"corpus": corpus} if "mine" in verb else {}
    pairs = numbered(3000).with_columns(anchor=pl.col("id"))
    expected = negforge.run(verb, pairs, workers=1, **given).kept
    clock, sizes = [0.0], []

    def slow(work: object, frame: pl.DataFrame) -> tuple[pl.DataFrame, Counts]:
        sizes.append(frame.height)
        clock[0] += frame.height * 0.004
        return generate_batch(work, frame)  # type: ignore[arg-type]

    monkeypatch.setattr(runner, "generate_batch", slow)
    monkeypatch.setattr(runner, "os", SimpleNamespace(times=lambda: [part * clock[0] for part in spent]))
    found = negforge.run(verb, pairs, workers=1, **given).kept
    assert sizes[:2] == [64, 64]  # two are taken before the first is done
    assert all(249 <= size <= 251 for size in sizes[2:-1])
    assert found.equals(expected)


def test_batches_of_quick_work_grow_to_the_size_asked_for() -> None:
    """Two small batches tell that the work is quick; from then on they are as large as --batch-size says."""
    pace = runner._Pace(5000)
    sizes = []
    for piece in pace.cut(pl.DataFrame({"n": range(20_000)})):
        sizes.append(piece.height)
        pace.took(piece.height, piece.height * 1e-5)
    assert sizes[:3] == [64, 1024, 5000]
    assert sum(sizes) == 20_000


def peak_of(code: str, folder: Path) -> int:
    """Peak anonymous memory, in bytes, of a Python child and of its forebears none."""
    child = subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=subprocess.DEVNULL)
    peak = 0
    status = Path(f"/proc/{child.pid}/status")
    while child.poll() is None:
        try:
            line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("RssAnon"))
            peak = max(peak, int(line.split()[1]) * 1024)
        except (OSError, StopIteration):
            pass
        time.sleep(0.02)
    assert child.returncode == 0
    return peak


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_is_flat_in_rows(tmp_path: Path) -> None:
    """Three times the rows through generate, verification and a dataset take about the same memory (pola-rs/polars#25607)."""
    frame = numbered(300_000)
    frame.write_parquet(tmp_path / "large.parquet")
    frame.head(100_000).write_parquet(tmp_path / "small.parquet")
    code = "import negforge; negforge.run('generate perturb.number', '{0}.parquet', output='{0}', workers=1, max_memory='160MB')"
    small, large = (peak_of(code.format(name), tmp_path) for name in ("small", "large"))
    assert large < 1.35 * small, (small, large)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_of_a_row_local_stage_is_flat_below_its_limit(tmp_path: Path) -> None:
    """Six times the rows, read, their ids compared and written to a file, take about the same memory, however much is allowed."""
    row = pl.col("n").cast(pl.String)
    frame = pl.DataFrame({"n": range(900_000)}).select(id=row, anchor=pl.lit("question ") + row, positive=pl.lit("answer ") + row)
    frame.write_parquet(tmp_path / "large.parquet", row_group_size=50_000)
    frame.head(150_000).write_parquet(tmp_path / "small.parquet", row_group_size=50_000)
    code = "import negforge; negforge.run('ingest pairs', '{0}.parquet', output='{0}-out.parquet', max_memory='4GB')"
    small, large = (peak_of(code.format(name), tmp_path) for name in ("small", "large"))
    assert large < 1.3 * small, (small, large)


def test_positive_ids_that_the_corpus_lacks_are_counted() -> None:
    """A positive_id that is not in the corpus switches off what is known by it, so the report says how many there are."""
    pairs = pl.DataFrame({"anchor": ["a", "b"], "positive": ["p", "q"], "positive_id": ["0001", "d2"]})
    corpus = pl.DataFrame({"id": ["d1", "d2", "d3"], "text": ["one", "two", "three"]})
    made = negforge.run("generate mine.random", pairs, corpus=corpus)
    assert made.report.counts["unmatched"] == 1
    assert "pairs whose positive_id is not in the corpus: 1" in "\n".join(made.report.lines())


def test_a_corpus_in_beirs_layout_keeps_its_ids(tmp_path: Path) -> None:
    """A `corpus.jsonl` that is named as it is has ids in `_id`: a judged document of the anchor is known by it and no negative."""
    given = [{"_id": f"d{number}", "title": "", "text": f"text {number}"} for number in range(4)]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    pairs = pl.DataFrame({"anchor": ["a"], "positive": ["said otherwise"], "positive_id": ["d2"]})
    made = negforge.run("generate mine.random", pairs, corpus=str(tmp_path / "corpus.jsonl"), num_negatives=4)
    assert sorted(made.kept.filter(pl.col("label") == "negative")["negative_id"]) == ["d0", "d1", "d3"]
    assert "unmatched" not in made.report.counts
    other = negforge.run("generate mine.random", pairs.with_columns(positive_id=pl.lit("x")), corpus=str(tmp_path / "corpus.jsonl"))
    assert "not in the corpus: 1; it has none of them: are the ids those of another table?" in "\n".join(other.report.lines())


def test_an_anchor_with_blank_candidates_alone_is_dropped_with_the_reason() -> None:
    """Blank texts become no row, and the anchor they were all there was for does."""
    corpus = pl.DataFrame({"id": ["b"], "text": [" "]})
    made = negforge.run("generate mine.random", numbered(3), corpus=corpus, num_negatives=2)
    assert made.report.counts["refused"] == {"blank": 6}
    assert made.dropped["drop_reason"].to_list() == ["blank"] * 3


@pytest.mark.parametrize("depth", [1, 2**31])
def test_candidates_go_beyond_what_is_asked_and_never_beyond_the_corpus(depth: int) -> None:
    """A depth below the negatives asked for is raised, one above the corpus is the corpus."""
    corpus = pl.DataFrame({"id": [str(n) for n in range(50)], "text": [f"room {n}" for n in range(50)]})
    made = negforge.run("generate mine.bm25", numbered(1), corpus=corpus, num_negatives=20, depth=depth)
    assert made.report.counts["emitted"] == 20


def test_workers_start_with_a_long_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where TMPDIR has too long a name for a socket, workers start another way and give the same rows."""
    import tempfile

    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    pairs = numbered(60)
    digests = [negforge.run("generate perturb.number", pairs, workers=workers, batch_size=20).report.outcome.digests for workers in (1, 2)]
    assert digests[0] == digests[1]

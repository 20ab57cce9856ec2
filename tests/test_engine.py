"""The local engine: scratch folders and their owners, partitions on disk, and a pool that neither hangs nor lingers."""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from negforge import engine
from negforge.engine import Partitioner, Scratch, Spool, collect, evenly, hold, ordered_map, storage, temporary_scratch
from negforge.errors import InputError, NegforgeError, StorageError
from tests import children
from tests.conftest import ROOT

# -- helpers -----------------------------------------------------------------------------------------------------------


def child(*command: str, **options: Any) -> subprocess.Popen[str]:
    """A child process that runs one of `tests.children`."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    return subprocess.Popen([sys.executable, "-m", "tests.children", *command], **{**pipes, **options})


def ended(child: subprocess.Popen[str]) -> int:
    """Its exit code."""
    return child.wait(timeout=30)


def until(true: Callable[[], Any], seconds: float = 20) -> Any:
    """The value, once it is true."""
    limit = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.02)
    return found


def processes(mark: str) -> set[int]:
    """Living processes whose environment holds the mark, from /proc."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                state = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
                if mark.encode() in (entry / "environ").read_bytes() and state != "Z":
                    found.add(int(entry.name))
            except OSError:
                continue
    return found


# -- scratch folders ---------------------------------------------------------------------------------------------------


def test_a_folder_whose_owner_lives_is_never_removed(tmp_path: Path) -> None:
    """However often others collect, in this process or another; once its owner is killed, the first to come removes it."""
    owner = child("hold_scratch", str(tmp_path), "alive")
    assert owner.stdout is not None
    assert owner.stdout.readline() == "held\n"
    with Scratch(tmp_path, "s-") as mine:
        for _ in range(3):
            collect(tmp_path, "s-")
        assert len([*tmp_path.iterdir()]) == 2
        owner.kill()
        ended(owner)
        collect(tmp_path, "s-")
        assert [*tmp_path.iterdir()] == [mine.path]
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("state", ["dead", "unlocked"])
def test_what_a_killed_owner_left_is_collected(tmp_path: Path, state: str) -> None:
    """Killed with its folder locked, or between making it and locking it."""
    assert ended(child("hold_scratch", str(tmp_path), state)) == -signal.SIGKILL
    assert len([*tmp_path.iterdir()]) == 1
    collect(tmp_path, "s-")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("moment", ["made", "opened"])
def test_a_folder_that_is_being_made_is_not_taken_from_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Another collects just after the folder was made, or its lock file opened but not locked: the owner ends with a whole one."""
    inner: Callable[..., Any] = hold if moment == "made" else fcntl.flock
    raids = 0

    def raided(*args: Any, **more: Any) -> Any:
        nonlocal raids
        raids += 1
        if raids in (1, 2):
            monkeypatch.undo()
            collect(tmp_path, "s-")
            monkeypatch.setattr(*place, raided)
        return inner(*args, **more)

    place: tuple[Any, str] = (engine, "hold") if moment == "made" else (fcntl, "flock")
    monkeypatch.setattr(*place, raided)
    with Scratch(tmp_path, "s-") as scratch:
        monkeypatch.undo()
        (scratch.path / "rows").write_bytes(b"rows")
        collect(tmp_path, "s-")
        assert [*tmp_path.iterdir()] == [scratch.path]
        assert (scratch.path / "rows").exists()
    assert raids >= 3
    assert [*tmp_path.iterdir()] == []


def test_makers_and_collectors_at_once(tmp_path: Path) -> None:
    """Four processes make folders and collect without pause: none loses one that is its own, none is left."""
    found = [child("make_and_collect", str(tmp_path), "150") for _ in range(4)]
    assert [ended(one) for one in found] == [0, 0, 0, 0]
    collect(tmp_path, "s-")
    assert [*tmp_path.iterdir()] == []


def test_only_folders_of_the_prefix_are_collected(tmp_path: Path) -> None:
    """Signs that a pattern would read are taken as they are, and nobody else's folder is touched."""
    for name in (".a[1].parquet.stage-x", ".a1.parquet.stage-x", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / ".a[1].parquet.stage-file").touch()
    collect(tmp_path, ".a[1].parquet.stage-")
    assert {one.name for one in tmp_path.iterdir()} == {".a1.parquet.stage-x", "mine", ".a[1].parquet.stage-file"}
    collect(tmp_path / "absent", "x")


def test_a_folder_is_closed_once(tmp_path: Path) -> None:
    """Closing again closes nobody else's file."""
    scratch = Scratch(tmp_path, "s-")
    scratch.close()
    with (tmp_path / "file").open("w", encoding="utf-8") as handle:
        scratch.close()
        handle.write("still open")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "still open"


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    """A lock that is held is refused; workers of the holder do not keep it."""
    with Scratch(tmp_path, "s-") as scratch:
        with pytest.raises(BlockingIOError):
            hold(scratch.path / "lock", wait=False)
        results = ordered_map(children.doubled, range(100), 2)
        assert next(results) == 0
        os.close(scratch._lock or -1)
        os.close(hold(scratch.path / "lock", wait=False))
        scratch._lock = os.open(os.devnull, os.O_RDONLY)
        getattr(results, "close")()  # noqa: B009 - a generator, by its type an iterator


def test_a_temporary_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 5, naming the place; what a dead run left there is collected by the next."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent" / "file"))
    (tmp_path / "absent").touch()
    with pytest.raises(StorageError) as error:
        temporary_scratch()
    assert error.value.exit_code == 5
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"negforge-{os.getuid()}-dead").mkdir()
    with temporary_scratch() as scratch:
        assert {one.name for one in tmp_path.iterdir()} == {"absent", scratch.path.name}


def test_names_in_a_folder_do_not_clash(tmp_path: Path) -> None:
    """The second of a name gets another."""
    with Scratch(tmp_path, "s-") as scratch:
        assert [scratch.folder("x").name, scratch.folder("x").name, scratch.file("x").name] == ["x", "1-x", "2-x"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_the_system_refusing_is_a_storage_error(tmp_path: Path, number: int) -> None:
    """Exit 5, with the system's words and the path; a pipe whose reader left stays what it is."""
    with pytest.raises(StorageError) as error, storage(tmp_path):
        raise OSError(number, os.strerror(number))
    assert error.value.exit_code == 5
    assert os.strerror(number) in error.value.what
    assert error.value.where == str(tmp_path)
    with pytest.raises(BrokenPipeError), storage(tmp_path):
        raise BrokenPipeError(errno.EPIPE, "gone")


# -- spools and partitions ---------------------------------------------------------------------------------------------

FRAMES = st.lists(
    st.tuples(st.integers(0, 2**64 - 1) | st.integers(0, 3) | st.sampled_from([2**63, 2**63 + 1]), st.text(max_size=20)), max_size=60
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=FRAMES, limit=st.sampled_from([0, 300, 1 << 30]), batch=st.integers(1, 20))
def test_partitions_of_any_number_concatenate_to_the_same_order(
    tmp_path: Path, rows: list[tuple[int, str]], limit: int, batch: int
) -> None:
    """Every row comes back once with its key; keys ascend from part to part; rows of a key stand in the order they came."""
    folder = tmp_path / str(len([*tmp_path.iterdir()]))
    folder.mkdir()
    parts = Partitioner(folder / "parts", limit)
    key = np.array([one for one, _ in rows], dtype=np.uint64)
    frame = pl.DataFrame({"n": range(len(rows)), "text": [text for _, text in rows], "list": [[text] for _, text in rows]})
    for start in range(0, len(rows), batch):
        parts.add(frame[start : start + batch], key[start : start + batch])
    assert parts.rows == len(rows)
    found = [*parts.parts()]
    ranges = [(int(keys.min()), int(keys.max())) for _, keys in found]
    assert all(high < low for (_, high), (low, _) in itertools.pairwise(ranges))
    if rows:
        keys = np.concatenate([keys for _, keys in found])
        order = np.argsort(keys, kind="stable")
        assert_frame_equal(pl.concat([part for part, _ in found])[order], frame[np.argsort(key, kind="stable")])
        np.testing.assert_array_equal(keys[order], np.sort(key))
    assert [one for one in folder.rglob("*") if one.is_file()] == []
    assert [*parts.parts()] == []


def test_a_part_is_no_larger_than_the_limit(tmp_path: Path) -> None:
    """Unless a single key is: also where all keys share their leading bits, as row numbers do, and rows are written once more only."""
    rows = 20_000
    frame = pl.DataFrame({"text": ["x" * 100] * rows})
    parts = Partitioner(tmp_path / "parts", 100_000)
    written = 0
    inner = Spool.add

    def counting(self: Spool, frame: pl.DataFrame) -> None:
        nonlocal written
        written += frame.height
        inner(self, frame)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Spool, "add", counting)
        parts.add(frame, np.arange(rows, dtype=np.uint64))
        sizes = [part.height for part, _ in parts.parts()]
    assert sum(sizes) == rows
    assert max(sizes) <= 1000
    assert written <= 2 * rows + 2000


def test_a_spill_takes_little_beside_what_was_held(tmp_path: Path) -> None:
    """Keys alone, as of known positives: their buckets are bytes, so that a spill needs a few times the limit and no more."""
    limit, rows = 1 << 22, 1 << 16
    parts = Partitioner(tmp_path / "parts", limit)
    nothing = pl.DataFrame({"none": []}, schema={"none": pl.Null})
    draws = np.random.default_rng(0)
    tracemalloc.start()
    try:
        for _ in range(20):
            parts.add(nothing.clear(rows), draws.integers(0, 1 << 63, rows, dtype=np.uint64))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4.5 * limit
    assert sum(len(keys) for _, keys in parts.parts()) == 20 * rows


def test_what_is_held_of_a_filtered_frame_is_its_rows(tmp_path: Path) -> None:
    """A limit counts what is kept in memory: rows filtered out of large frames are copied, not the frames held."""
    parts = Partitioner(tmp_path / "parts", 1 << 40)
    before = pa.total_allocated_bytes()
    for _ in range(20):
        frame = pl.DataFrame({"n": range(10_000)}).with_columns(text=pl.format("{} {}", pl.lit("long " * 50), pl.col("n")))
        parts.add(frame.filter(pl.col("n") % 1000 == 0), np.arange(10, dtype=np.uint64))
    held = sum(table.nbytes for table, _ in parts._held)
    assert held < 100_000
    assert sum(buffer_bytes(table) for table, _ in parts._held) < 200_000
    assert pa.total_allocated_bytes() - before < 200_000


def buffer_bytes(table: pa.Table) -> int:
    """The size of the buffers a table keeps alive."""
    return sum(
        buffer.size for column in table.columns for chunk in column.chunks for buffer in chunk.buffers() if buffer is not None
    )  # fmt: skip


@pytest.mark.parametrize(("heights", "cut"), [((3, 0, 9, 1), [5, 5, 3]), ((5, 5), [5, 5]), ((2,), [2]), ((0, 0), [0]), ((), [])])
def test_rows_are_cut_evenly_however_they_came(heights: tuple[int, ...], cut: list[int]) -> None:
    """Frames of the size asked for, each in one piece, but for the last; of no rows one frame, which has the columns."""
    ends = [*itertools.accumulate(heights, initial=0)]
    frames = [pl.DataFrame({"n": range(start, end)}, schema={"n": pl.Int64}) for start, end in itertools.pairwise(ends)]
    found = [*evenly(frames, 5)]
    assert [one.height for one in found] == cut
    assert all(one.n_chunks() == 1 for one in found)
    assert [row for one in found for row in one["n"]] == [*range(ends[-1])]


def test_a_spool_gives_its_rows_back(tmp_path: Path) -> None:
    """In order, in frames of the asked size, any number of times; of no rows, one frame with the columns."""
    spool = Spool(tmp_path / "one")
    assert [*spool.batches()] == []
    frame = pl.DataFrame({"n": range(10), "words": [["a"] * (number % 3) for number in range(10)]})
    for start in (0, 4, 8):
        spool.add(frame[start : start + 4])
    for _ in range(2):
        assert_frame_equal(pl.concat(spool.batches(3)), frame)
        assert max(one.height for one in spool.batches(3)) == 3
    empty = Spool(tmp_path / "two")
    empty.add(frame.clear())
    assert_frame_equal(pl.concat(empty.batches()), frame.clear())


# -- the pool ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_order_and_are_the_same(workers: int) -> None:
    """Whatever the number of workers and whichever is ready first; nothing in gives nothing out."""
    assert [*ordered_map(children.doubled, range(40), workers)] == [2 * number for number in range(40)]
    assert [*ordered_map(children.doubled, iter(()), workers)] == []
    assert [*ordered_map(children.doubled, iter([4]), workers)] == [8]


def test_a_bounded_number_of_items_is_in_flight() -> None:
    """The source is read no further than the workers need: a slow consumer holds few results.

    Answers ray-project/ray#48104 (over-eager reads before the write).
    """
    read = 0

    def source() -> Iterator[int]:
        nonlocal read
        for number in range(1000):
            read = number
            yield number

    for number, result in enumerate(ordered_map(children.padded, source(), 2)):
        assert result[0] == number
        assert read - number <= 5
        if number == 50:
            break


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_travels_whole(workers: int) -> None:
    """A worker's complaint arrives with its place and its mend, after the results before it."""
    seen: list[int] = []
    with pytest.raises(InputError) as error:
        seen.extend(ordered_map(children.failing, range(100), workers))
    assert seen == [0, 1, 2]
    assert (error.value.what, error.value.where, error.value.mend) == ("three is bad", "here", "leave it out")


def test_an_error_of_the_source_travels() -> None:
    """What the reader of the input raises ends the pool."""

    def source() -> Iterator[int]:
        yield from range(10)
        raise InputError("cut off")

    with pytest.raises(InputError, match="cut off"):
        _ = [*ordered_map(children.doubled, source(), 2)]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("work", "items"),
    [
        (children.dying, range(100)),
        (children.dying_on_large, [(number, bytes(3_000_000)) for number in range(12)]),
        (children.dying_in_answer, range(100)),
    ],
    ids=["at work", "with items waiting", "while it answers"],
)
def test_a_killed_worker_is_an_error_and_no_wait(work: Callable[[Any], Any], items: Any) -> None:
    """As the system does when memory runs out: at work, while others' items wait, or half-way through its answer.

    Answers huggingface/datatrove#222 (a run that hung for a day) and Eventual-Inc/Daft#3576.
    """
    begun = time.monotonic()
    with pytest.raises(NegforgeError, match="a worker process was killed") as error:
        for _ in ordered_map(work, items, 2):
            pass
    assert "--workers" in error.value.mend
    assert time.monotonic() - begun < 30
    assert [*ordered_map(children.doubled, range(4), 2)] == [0, 2, 4, 6]


@pytest.mark.parametrize("workers", [2, 4])
def test_inside_a_worker(workers: int) -> None:
    """It holds no stdout, leaves interrupts to its parent, and shares the cores with the others."""
    parent = child("show_workers", str(workers))
    states = json.loads(parent.communicate()[0])
    for state in states:
        assert state["pid"] != parent.pid
        assert state["stdout"] == os.devnull
        assert state["threads"] == max(1, engine.default_workers() // workers)
        assert state["products"] == str(state["threads"])
        assert state["interrupts"]
    assert len(states) == 6


def test_stdout_is_as_before_a_pool(capfd: pytest.CaptureFixture[str]) -> None:
    """What the parent prints while a pool works reaches its stdout."""
    for one in ordered_map(children.doubled, range(5), 2):
        os.write(1, f"{one} ".encode())
    assert capfd.readouterr().out == "0 2 4 6 8 "


def test_no_worker_outlives_the_work() -> None:
    """Read to the end or left half-way: no worker process remains."""
    workers = {state["pid"] for state in ordered_map(children.worker_state, range(6), 2)}
    half = ordered_map(children.worker_state, range(100), 2)
    workers |= {next(half)["pid"] for _ in range(4)}
    getattr(half, "close")()  # noqa: B009 - a generator, by its type an iterator
    assert workers
    until(lambda: not any(alive(pid) for pid in workers), 5)


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_die_with_their_parent(tmp_path: Path, blow: signal.Signals) -> None:
    """Killed, terminated or interrupted in the midst of work: within seconds no process of it is left."""
    mark = f"NEGFORGE_TEST_BEGAN={tmp_path}"
    environment = {**os.environ, "NEGFORGE_TEST_BEGAN": str(tmp_path)}
    parent = child("map_and_wait", "2", env=environment, stderr=subprocess.DEVNULL)  # of semaphores that nobody is left to free
    until(lambda: len([*tmp_path.iterdir()]) == 2)
    workers = {int(one.name.partition("-")[2]) for one in tmp_path.iterdir()}
    assert processes(mark) > workers
    parent.send_signal(blow)
    assert ended(parent) == (130 if blow is signal.SIGINT else -blow)
    until(lambda: not processes(mark), 10)


def test_an_interrupt_to_the_whole_group_leaves_nothing(tmp_path: Path) -> None:
    """As Ctrl-C does: parent, workers and their helpers get it at once; the parent says 130, no worker complains, none stays."""
    mark = f"NEGFORGE_TEST_BEGAN={tmp_path}"
    environment = {**os.environ, "NEGFORGE_TEST_BEGAN": str(tmp_path)}
    parent = child("map_and_wait", "2", env=environment, start_new_session=True, stderr=subprocess.PIPE)
    until(lambda: len([*tmp_path.iterdir()]) == 2)
    os.killpg(parent.pid, signal.SIGINT)
    assert ended(parent) == 130
    assert parent.stderr is not None
    assert parent.stderr.read() == ""
    until(lambda: not processes(mark), 10)


def test_a_reader_of_our_pipe_gets_the_end_when_we_end() -> None:
    """Neither workers nor the helpers that start and track them hold the parent's stdout open."""
    parent = child("map_and_stop", "2")
    assert parent.stdout is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(parent.stdout or ()))
    reader.start()
    until(lambda: lines)
    ended(parent)
    reader.join(timeout=2)
    assert not reader.is_alive()
    assert lines == ["0\n"]


def test_no_helper_holds_stdout(tmp_path: Path) -> None:
    """While the pool works, the pipe on stdout is open in the parent alone."""
    mark = f"NEGFORGE_TEST_BEGAN={tmp_path}"
    environment = {**os.environ, "NEGFORGE_TEST_BEGAN": str(tmp_path)}
    parent = child("map_and_wait", "2", env=environment, stderr=subprocess.DEVNULL)  # of semaphores that nobody is left to free
    until(lambda: len([*tmp_path.iterdir()]) == 2)
    pipe = Path(f"/proc/{parent.pid}/fd/1").readlink()
    holders = {pid for pid in processes(mark) for handle in Path(f"/proc/{pid}/fd").iterdir() if _target(handle) == pipe}
    parent.kill()
    ended(parent)
    assert holders == {parent.pid}


def _target(handle: Path) -> Path | None:
    try:
        return handle.readlink()
    except OSError:
        return None

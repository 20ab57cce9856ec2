"""`kill -9` while texts are encoded, while vectors are searched, filtered and compared: the rerun goes on, and the rows are the same.

Answers huggingface/sentence-transformers#3338 (8 hours of encoding lost) and #3164 (a search that dies starts over).
"""

from __future__ import annotations

import http.server
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from negforge import rng
from negforge.vectors import _Opened
from tests.shell import Children, good, start

TEXTS = 2600
BLOCK = 1024


class Encoding(http.server.BaseHTTPRequestHandler):
    """An OpenAI-compatible server that keeps what it was asked, and kills whoever asks at a chosen request."""

    asked: list[list[str]] = []  # noqa: RUF012 - of the class, which a test empties
    killed_at = 0
    victim = 0

    def do_POST(self) -> None:
        """Answer, or kill."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind = type(self)
        kind.asked.append(body["input"])
        if len(kind.asked) == kind.killed_at:
            while not kind.victim:
                time.sleep(0.01)
            os.kill(kind.victim, signal.SIGKILL)
            return
        rows = [np.random.default_rng(list(text.encode())).standard_normal(8).tolist() for text in body["input"]]
        data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(rows)]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"object": "list", "data": data, "model": "m", "usage": {}}).encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The name of a model on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Encoding) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/v1#m"
        running.shutdown()


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs, a corpus, and scored negatives of it, each text another."""
    folder = tmp_path_factory.mktemp("given")
    words = [f"lake {number * 7919 % 10_007} lies in valley {number}" for number in range(TEXTS)]
    pl.DataFrame({"id": [f"d{number:05d}" for number in range(TEXTS)], "text": words}).write_parquet(folder / "corpus.parquet")
    anchors = [f"which lake lies in valley {number}?" for number in range(40)]
    pairs = pl.DataFrame({"anchor_id": [f"q{number}" for number in range(40)], "anchor": anchors, "positive": words[:40]})
    pairs.write_parquet(folder / "pairs.parquet")
    line = ("generate", "mine.random", folder / "pairs.parquet", "--corpus", folder / "corpus.parquet", "-n", "100")
    good(*line, "-q", "-o", folder / "negatives.parquet")
    return folder


def command(work: str, given: Path, model: str) -> list[str]:
    """A command that encodes."""
    verb, operator = work.split(" ")
    table = given / ("pairs.parquet" if verb == "generate" else "negatives.parquet")
    more = ["--corpus", str(given / "corpus.parquet"), "-n", "5"] if verb == "generate" else []
    return [verb, operator, str(table), *more, "--model", model, "--workers", "1", "--json", "-q"]


def encoding(line: list[str], cache: Path, out: Path, killed_at: int = 0) -> tuple[int, dict[str, Any], list[str]]:
    """Run in a process of its own: its exit code, its report, and the texts it had encoded, the one that tells models apart aside."""
    Encoding.asked, Encoding.killed_at, Encoding.victim = [], killed_at, 0
    process: subprocess.Popen[bytes] = start(*line, "-o", str(out), env={**os.environ, "NEGFORGE_CACHE": str(cache)})
    Encoding.victim = process.pid
    said, told = process.communicate(timeout=120)
    assert process.returncode in (0, -signal.SIGKILL), told.decode()
    texts = [text for asked in Encoding.asked for text in asked if not text.startswith("A text whose vector tells")]
    return process.returncode, json.loads(said or b"{}"), texts


@pytest.mark.parametrize("work", ["generate mine.dense", "score dense", "score span"])
def test_killed_while_it_encodes(work: str, server: str, given: Path, tmp_path: Path) -> None:
    """No text of a finished block is encoded again; a block is lost at most, and the rows are those of an unbroken run."""
    line = command(work, given, server)
    code, whole, once = encoding(line, tmp_path / "whole", tmp_path / "whole.parquet")
    assert code == 0
    assert len(once) == len({*once}) > 2 * BLOCK
    requests = len(Encoding.asked)
    for moment in random.Random(work).sample(range(requests // 2, requests), 2 if work == "generate mine.dense" else 1):
        cache = tmp_path / f"cache-{moment}"
        code, _, before = encoding(line, cache, tmp_path / f"{moment}.parquet", moment)
        assert code == -signal.SIGKILL
        assert not (tmp_path / f"{moment}.parquet").exists()
        (folder,) = cache.glob("vectors-*")
        code, again, after = encoding(line, cache, tmp_path / f"{moment}.parquet")
        assert code == 0
        assert again["rows_digest"] == whole["rows_digest"]
        assert len(after) == len({*after})
        assert {*before, *after} == {*once}
        assert len({*before} & {*after}) <= BLOCK
        assert {*before} - {*after}, "something was finished"
        assert len(_Opened(folder).keys.high) == len(once)
        assert (_Opened(folder).keys.find(rng.strings128(pl.Series(once))) >= 0).all()


PIPELINE = """
[[stage]]
name = "mine"
use = "generate mine.dense"
input = "pairs.parquet"
corpus = "corpus.parquet"
corpus_vectors = "corpus.npy"
anchor_vectors = "anchors.npy"
num_negatives = 3
depth = 20

[[stage]]
name = "margin"
use = "filter margin"
input = "@mine"
by = "dense"
max_score = 0.8

[[stage]]
name = "near"
use = "dedupe near"
input = "@margin"
within = "table"

[[stage]]
name = "exact"
use = "dedupe exact"
input = "@near"
output = "out"
"""
ANCHORS = 2600


def fill(folder: Path) -> None:
    """A pipeline that searches in batches of 1,024 anchors, which filters, and which looks for copies; a third of the texts are near some."""
    folder.mkdir()
    draw = np.random.default_rng(4)
    words = [f"lake {number % 200 * 31} lies in a long valley of stones and of trees number {number // 3}" for number in range(600)]
    ids, names = [f"d{number:04d}" for number in range(600)], [f"q{number:04d}" for number in range(ANCHORS)]
    right = draw.integers(0, 600, ANCHORS).tolist()
    texts = draw.standard_normal((600, 16)).astype(np.float32)
    asked = texts[right] + 0.8 * draw.standard_normal((ANCHORS, 16)).astype(np.float32)
    pl.DataFrame({"id": ids, "text": words}).write_parquet(folder / "corpus.parquet")
    pairs = {"anchor_id": names, "anchor": [f"question {one}" for one in names], "positive": [words[one] for one in right]}
    pl.DataFrame({"id": names, **pairs, "positive_id": [ids[one] for one in right]}).write_parquet(folder / "pairs.parquet")
    for name, rows, keys in (("corpus", texts, ids), ("anchors", asked, names)):
        np.save(folder / f"{name}.npy", rows)
        (folder / f"{name}.ids").write_text("\n".join(keys), encoding="utf-8")
    (folder / "p.toml").write_text(PIPELINE, encoding="utf-8")


@pytest.mark.timeout(600)
def test_killed_while_it_searches_filters_and_compares(tmp_path: Path, children: Children) -> None:
    """Of a search a batch is lost at most; whatever the moment, every stage's digests are those of an unbroken run."""
    fill(tmp_path / "given")

    def job(place: str, **more: Any) -> dict[str, Any]:
        known = {"job": "run", "path": tmp_path / place, "file": "p.toml", "cache": str(tmp_path / f"cache-{place}"), "batch": 10_000}
        return {**known, **more}

    shutil.copytree(tmp_path / "given", tmp_path / "whole")
    (whole,) = children.run(job("whole"))
    assert whole["code"] == 0
    assert whole["prepared"]["asked"] == ANCHORS
    assert all(0 < counts["kept"] < counts["seen"] for counts, _ in whole["made"][1:3]), "the filter and the comparison drop some"
    draw = random.Random(6)
    kills = [{"asked": 1500}, {"asked": 2100}, *({"at": draw.randrange(1, whole["moments"])} for _ in range(8))]
    places = [f"set-{number}" for number in range(len(kills))]
    for place in places:
        shutil.copytree(tmp_path / "given", tmp_path / place)
    for first in range(0, len(kills), 4):
        some = [job(place, **kill) for place, kill in zip(places[first : first + 4], kills[first : first + 4], strict=False)]
        assert all(died["killed"] for died in children.run(*some))
        for kill, last in zip(kills[first:], children.run(*map(job, places[first : first + 4])), strict=False):
            assert last["code"] == 0
            assert last["made"] == whole["made"]
            if "asked" in kill:
                assert last["resumed"] > 0
                assert last["prepared"]["asked"] == ANCHORS - kill["asked"] // BLOCK * BLOCK

"""Vectors: encoded once under what the model is, or brought; every fault of a file told."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import negforge
from negforge import vectors
from negforge.corpus import cache_root
from negforge.encoders import Encoder
from negforge.errors import InputError, NegforgeError, RemoteError, UsageError
from tests.models import static_model


def silent(_: str) -> None:
    """Nobody listens."""


def encode(encoder: Encoder, texts: list[str | None], scratch: Path) -> vectors.Lookup:
    """The vectors of some texts."""
    folder = vectors.encoded(encoder, iter([pl.Series("text", texts, dtype=pl.String)]), scratch, 1 << 20, silent)
    return vectors.Lookup(folder, "text", "cosine")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that a model was asked for."""
    texts: list[str] = []
    real = Encoder.encode

    def encode(self: Encoder, some: list[str]) -> Any:
        texts.extend(some)
        return real(self, some)

    monkeypatch.setattr(Encoder, "encode", encode)
    return texts


def test_a_text_is_encoded_once(model: str, asked: list[str], tmp_path: Path) -> None:
    """Whatever table it stands in and however often (huggingface/sentence-transformers#3338)."""
    encoder = Encoder(model, prompt="once: ")
    found = encode(encoder, ["deep lake", "deep lake", None, "old bridge"], tmp_path / "a")
    assert sorted(asked) == ["deep lake", "old bridge"]
    encode(encoder, ["old bridge", "deep lake", "new tower"], tmp_path / "b")
    assert sorted(asked) == ["deep lake", "new tower", "old bridge"]
    rows, there = found.take(pl.Series(["old bridge", None, "never seen"], dtype=pl.String), None)
    assert there.tolist() == [True, False, False]
    expected = Encoder(model, prompt="once: ").encode(["old bridge"])[0]
    assert np.allclose(rows[0], expected / np.linalg.norm(expected))


def test_two_checkpoints_and_two_prompts_share_nothing(tmp_path: Path) -> None:
    """A model is known by its files and what is put before a text, not by its name (huggingface/sentence-transformers#3870)."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = static_model(tmp_path / "a" / "checkpoint", seed=1), static_model(tmp_path / "b" / "checkpoint", seed=2)
    prints = {Encoder(str(one)).fingerprint, Encoder(str(other)).fingerprint, Encoder(str(one), prompt="query: ").fingerprint}
    assert len(prints) == 3
    again = static_model(tmp_path / "elsewhere", seed=1)
    assert Encoder(str(again)).fingerprint == Encoder(str(one)).fingerprint
    static_model(one, seed=3)  # a new checkpoint in the old place
    assert Encoder(str(one)).fingerprint not in prints


def test_a_checkpoint_that_is_replaced_is_loaded_anew(tmp_path: Path) -> None:
    """Within one process, as between two rounds of training."""
    pairs = pl.DataFrame({"anchor": ["When is a spring tide?", "When is a neap tide?"], "positive": ["At full moon.", "At half moon."]})
    corpus = pl.DataFrame({"id": ["1", "2", "3"], "text": ["The moon is full.", "A tide is high.", "A ship sails."]})

    def scores(model: Path) -> list[float]:
        found = negforge.run("generate mine.dense", pairs, corpus=corpus, model=str(model), num_negatives=2).kept
        return [round(one, 6) for one in found["score_dense"].to_list()]

    here = static_model(tmp_path / "checkpoint", seed=1)
    first = scores(here)
    shutil.rmtree(here)
    second = scores(static_model(here, seed=2))
    assert first != second == scores(static_model(tmp_path / "other", seed=2))


def test_a_model_that_changes_between_its_digest_and_its_loading_is_refused(tmp_path: Path) -> None:
    encoder = Encoder(str(static_model(tmp_path / "checkpoint", seed=1)))
    assert encoder.fingerprint
    shutil.rmtree(tmp_path / "checkpoint")
    static_model(tmp_path / "checkpoint", seed=2)
    with pytest.raises(InputError, match="the model changed while it was read"):
        encoder.encode(["A tide is high."])


def test_what_was_encoded_before_a_stop_is_kept(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run that dies loses the block it was at."""
    monkeypatch.setattr(vectors, "_BLOCK", 10)
    monkeypatch.setattr(vectors, "_SHARD_SECONDS", 0.0)
    encoder = Encoder(model, prompt="stopped: ")
    texts: list[str | None] = [f"text {number}" for number in range(45)]
    real, calls = Encoder.encode, [0]

    def dies(self: Encoder, some: list[str]) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return real(self, some)

    monkeypatch.setattr(Encoder, "encode", dies)
    with pytest.raises(KeyboardInterrupt):
        encode(encoder, texts, tmp_path / "a")
    found = encode(encoder, texts, tmp_path / "b")
    assert calls[0] == 3 + 3  # of 45 texts 20 were done: 25 are left
    assert found.take(pl.Series("text", texts), None)[1].all()


def test_a_torn_shard_is_removed(model: str, tmp_path: Path) -> None:
    """Vectors without their keys are what a kill left: they are encoded again."""
    encoder = Encoder(model, prompt="torn: ")
    folder = encode(encoder, ["deep lake"], tmp_path / "a").folder
    keys = next(folder.glob("*.keys.npy"))
    keys.unlink()
    (folder / "x.rows.npy.part").write_bytes(b"half")
    found = encode(encoder, ["deep lake"], tmp_path / "b")
    assert found.take(pl.Series(["deep lake"]), None)[1].all()
    assert len(list(folder.iterdir())) == 3


PAIRS = pl.DataFrame(
    {"id": ["1", "2"], "anchor_id": ["q1", "q2"], "anchor": ["one?", "two?"], "positive": ["first", "second"], "positive_id": ["d1", "d2"]}
)
CORPUS = pl.DataFrame({"id": ["d1", "d2", "d3", "d4"], "text": ["first", "second", "third", "fourth"]})
ANCHORS = {"q1": [1.0, 0.0], "q2": [0.0, 2.0]}
TEXTS = {"d1": [1.0, 0.1], "d2": [0.1, 1.0], "d3": [0.9, 0.5], "d4": [0.5, 0.9]}


def table(rows: dict[str, Any], path: Path) -> Path:
    """Vectors by id, as Parquet."""
    pl.DataFrame({"id": list(rows), "vector": list(rows.values())}).write_parquet(path)
    return path


def npy(rows: dict[str, Any], path: Path) -> Path:
    """Vectors as .npy, beside the ids of its rows."""
    np.save(path, np.array(list(rows.values())))
    path.with_suffix(".ids").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def _forget() -> None:
    """Remove what was made of vectors."""
    for folder in cache_root().iterdir():
        if folder.name.startswith(("vectors-", "matrix-")):
            shutil.rmtree(folder)
    vectors._open.cache_clear()
    vectors._matrix.cache_clear()


def mined(anchors: Path, texts: Path, **options: Any) -> pl.DataFrame:
    """The rows that vectors of a file give."""
    return negforge.run(
        "generate mine.dense", PAIRS, corpus=CORPUS, anchor_vectors=str(anchors), corpus_vectors=str(texts), num_negatives=2, **options
    ).kept.filter(pl.col("label") == "negative")


@pytest.mark.parametrize("write", [table, npy])
def test_vectors_that_are_brought(write: Any, tmp_path: Path) -> None:
    """By id, from Parquet or .npy, any embedder's (huggingface/sentence-transformers#3336, FlagOpen/FlagEmbedding#773)."""
    suffix = ".parquet" if write is table else ".npy"
    made = mined(write(ANCHORS, tmp_path / f"a{suffix}"), write(TEXTS, tmp_path / f"c{suffix}"))
    first = made.filter(pl.col("anchor_id") == "q1").sort("rank")
    assert first["negative_id"].to_list() == ["d3", "d4"]
    assert first["rank"].to_list() == [2, 3]  # d1, the positive, is the nearest
    cosine = 0.9 / np.sqrt(0.9**2 + 0.5**2)
    assert first["score_dense"][0] == pytest.approx(cosine, abs=1e-6)
    assert first["score_dense_positive"][0] == pytest.approx(1 / np.sqrt(1.01), abs=1e-6)


@pytest.mark.parametrize(("write", "step"), [(table, "_write_table"), (npy, "_write_npy"), (npy, "_lay_out")])
def test_vectors_that_are_replaced_while_they_are_read(write: Any, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the new ones is kept under the digest of the old ones."""
    suffix = ".parquet" if write is table else ".npy"
    anchors, texts = write(ANCHORS, tmp_path / f"a{suffix}"), write(TEXTS, tmp_path / f"c{suffix}")
    before = mined(anchors, texts)
    _forget()
    others = dict(zip(TEXTS, [*TEXTS.values()][::-1], strict=True))
    real = getattr(vectors, step)

    def replaced(*given: Any) -> Any:
        if step == "_lay_out" or given[0] == texts:
            write(others, texts)
        return real(*given)

    with monkeypatch.context() as patched:
        patched.setattr(vectors, step, replaced)
        with pytest.raises(InputError, match="vectors changed while they were read"):
            mined(anchors, texts)
    write(TEXTS, texts)
    assert mined(anchors, texts).equals(before)


def test_inner_products_are_of_the_vectors_as_they_are(tmp_path: Path) -> None:
    """`--similarity dot` scales nothing."""
    made = mined(table(ANCHORS, tmp_path / "a.parquet"), table(TEXTS, tmp_path / "c.parquet"), similarity="dot")
    assert made.filter(pl.col("anchor_id") == "q2").sort("rank")["score_dense"].round(6).to_list() == [1.8, 1.0]


def test_ids_that_are_numbers_here_and_text_there(tmp_path: Path) -> None:
    """Ids compare as text."""
    anchors = tmp_path / "a.parquet"
    pl.DataFrame({"id": [1, 2], "vector": [[1.0, 0.0], [0.0, 1.0]]}).write_parquet(anchors)
    pairs = PAIRS.with_columns(pl.Series("anchor_id", ["1", "2"]))
    made = negforge.run(
        "generate mine.dense", pairs, corpus=CORPUS, anchor_vectors=str(anchors), corpus_vectors=str(table(TEXTS, tmp_path / "c.parquet"))
    )
    assert made.report.counts["emitted"] == 2


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "another length": ({**TEXTS, "d4": [1.0, 2.0, 3.0]}, "a vector has another length", "d4"),
    "NaN": ({**TEXTS, "d2": [float("nan"), 1.0]}, "a vector holds NaN or infinity", "row 2"),
    "zero": ({**TEXTS, "d3": [0.0, 0.0]}, "a vector is zero", "row 3"),
    "null": ({**TEXTS, "d3": [None, 0.0]}, "a vector holds a null", "d3"),
    "none of one text": (
        {"d1": [1.0, 0.0], "d2": [1.0, 0.0], "d3": [1.0, 0.0]},
        "the corpus's text 'd4' has no vector",
        "--corpus-vectors",
    ),
    "longer than the anchors'": ({key: [*one, 1.0] for key, one in TEXTS.items()}, "differ in length", "2 numbers"),
    "empty": ({"d1": []}, "a vector is empty", "d1"),
    "NaN behind many": ({**{f"x{n}": [1.0, 0.0] for n in range(20_000)}, "d1": [float("nan"), 1.0]}, "NaN", "row 20,001"),
}


@pytest.mark.parametrize("case", BAD)
def test_faults_of_a_file_of_vectors(case: str, tmp_path: Path) -> None:
    """Each is told with its row, exit code 3."""
    rows, what, where = BAD[case]
    with pytest.raises(InputError) as error:
        mined(table(ANCHORS, tmp_path / "a.parquet"), table(rows, tmp_path / "c.parquet"))
    assert what in str(error.value)
    assert where in str(error.value)
    assert error.value.exit_code == 3
    assert error.value.mend


def test_faults_of_an_npy(tmp_path: Path) -> None:
    """No ids, another number of them, objects, one dimension, damaged."""
    anchors, texts = npy(ANCHORS, tmp_path / "a.npy"), npy(TEXTS, tmp_path / "c.npy")
    texts.with_suffix(".ids").write_text("d1\nd2\n", encoding="utf-8")
    with pytest.raises(InputError, match="differ in number"):
        mined(anchors, texts)
    texts.with_suffix(".ids").unlink()
    with pytest.raises(InputError, match="has no ids"):
        mined(anchors, texts)
    for rows, what in (
        (np.array([{"a": 1}], dtype=object), "not readable"),
        (np.zeros(4), "no vectors"),
        (np.zeros((4, 2), int), "no vectors"),
    ):
        np.save(texts, rows, allow_pickle=True)
        texts.with_suffix(".ids").write_text("d1\nd2\nd3\nd4\n", encoding="utf-8")
        with pytest.raises(InputError, match=what):
            mined(anchors, texts)
    texts.write_bytes(texts.read_bytes()[:40])
    with pytest.raises(InputError, match="not readable"):
        mined(anchors, texts)


def test_a_model_or_vectors_but_not_both(model: str, tmp_path: Path) -> None:
    """Neither, both, and vectors of one side alone are faults of the command."""
    texts = str(table(TEXTS, tmp_path / "c.parquet"))
    for given, what in (
        ({}, "is given none of --model, --corpus-vectors"),
        ({"model": model, "corpus_vectors": texts}, "both a model and vectors"),
        ({"corpus_vectors": texts}, "vectors of the anchor are missing"),
    ):
        with pytest.raises(UsageError, match=what) as error:
            negforge.run("generate mine.dense", PAIRS, corpus=CORPUS, **given)
        assert error.value.mend


def test_a_model_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path, with the nearest name, and a name that the Hub cannot give."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    static_model(tmp_path / "minilm")
    with pytest.raises(UsageError, match="there is no model") as error:
        negforge.run("generate mine.dense", PAIRS, corpus=CORPUS, model=str(tmp_path / "minlm"))
    assert "minilm" in error.value.mend
    with pytest.raises(UsageError, match="there is no model 'nobody/nothing-of-that-name'"):
        negforge.run("generate mine.dense", PAIRS, corpus=CORPUS, model="nobody/nothing-of-that-name")
    with pytest.raises(UsageError, match="holds no model"):
        negforge.run("generate mine.dense", PAIRS, corpus=CORPUS, model=str(tmp_path))


def test_an_anchor_without_a_vector_is_refused(tmp_path: Path) -> None:
    """Its slots are counted under the reason; the others are mined."""
    made = negforge.run(
        "generate mine.dense",
        PAIRS,
        corpus=CORPUS,
        anchor_vectors=str(table({"q1": [1.0, 0.0]}, tmp_path / "a.parquet")),
        corpus_vectors=str(table(TEXTS, tmp_path / "c.parquet")),
    )
    assert made.report.counts["refused"] == {"no-vector": 1}
    assert made.dropped["drop_reason"].to_list() == ["no-vector"]


class Server(http.server.BaseHTTPRequestHandler):
    """The embeddings of an OpenAI-compatible server: letters counted. `fails`: how many requests are refused first."""

    fails = 0
    asked = 0

    def do_POST(self) -> None:
        """Answer, or refuse."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked += 1
        missing, busy = body["model"] != "letters", type(self).fails > 0
        type(self).fails -= busy
        rows = [[float(text.count(letter)) + 0.1 for letter in "abcdefgh"] for text in body["input"]]
        data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(rows)]
        said = {"error": {"message": "no such model"}} if missing else {"object": "list", "data": data, "model": "letters", "usage": {}}
        self.send_response(404 if missing else 429 if busy else 200)
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/v1"
        running.shutdown()


def test_a_server_encodes(server: str) -> None:
    """Any server that speaks the OpenAI protocol; it is asked again where it says so, and for no text twice."""
    Server.fails = 2
    pairs, corpus = PAIRS, CORPUS.with_columns(pl.Series("text", ["first", "second", "a bad cab", "egg"]))
    made = negforge.run("generate mine.dense", pairs, corpus=corpus, model=f"{server}#letters", num_negatives=2)
    assert made.report.counts["emitted"] == 4
    before = Server.asked
    negforge.run("generate mine.dense", pairs, corpus=corpus, model=f"{server}#letters", num_negatives=1)
    assert Server.asked - before == 1  # the text that tells one model from another


def test_a_server_without_the_model(server: str) -> None:
    """What it said is told; exit code 4."""
    with pytest.raises(RemoteError, match="no such model") as error:
        negforge.run("generate mine.dense", PAIRS, corpus=CORPUS, model=f"{server}#numbers")
    assert error.value.exit_code == 4
    with pytest.raises(NegforgeError, match="names no model"):
        negforge.run("generate mine.dense", PAIRS, corpus=CORPUS, model=server)


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
def test_one_id_with_two_vectors(suffix: str, tmp_path: Path) -> None:
    """An error that names both rows; the same vector twice is one."""
    ids = ["d1", "d2", "d3", "d4", "d2"]
    for last, problem in (([0.3, 0.3], "rows 2 and 5"), (TEXTS["d2"], "")):
        texts = tmp_path / f"c{suffix}"
        rows = [*TEXTS.values(), last]
        if suffix == ".npy":
            np.save(texts, np.array(rows))
            texts.with_suffix(".ids").write_text("\n".join(ids) + "\n", encoding="utf-8")
        else:
            pl.DataFrame({"id": ids, "vector": rows}).write_parquet(texts)
        anchors = table(ANCHORS, tmp_path / "a.parquet")
        if problem:
            with pytest.raises(InputError, match="one id has two vectors") as error:
                mined(anchors, texts)
            assert problem in error.value.where
        else:
            assert mined(anchors, texts).height == 4


@pytest.mark.parametrize("harm", ["rows cut", "rows gone", "keys cut", "keys of another number"])
def test_a_damaged_shard_is_made_again(harm: str, model: str, asked: list[str], tmp_path: Path) -> None:
    """What of the cache cannot be read costs an encoding, no traceback and no wrong vector."""
    encoder = Encoder(model, prompt=f"{harm}: ")
    folder = encode(encoder, ["deep lake", "old bridge"], tmp_path / "a").folder
    rows, keys = next(folder.glob("*.rows.npy")), next(folder.glob("*.keys.npy"))
    if harm == "rows gone":
        rows.unlink()
    elif harm == "keys of another number":
        np.save(keys, np.load(keys)[:, :1])
    else:
        path = rows if harm == "rows cut" else keys
        path.write_bytes(path.read_bytes()[:-9])
    del asked[:]
    found = encode(encoder, ["deep lake", "old bridge"], tmp_path / "b")
    assert sorted(asked) == ["deep lake", "old bridge"]
    assert found.take(pl.Series(["deep lake", "old bridge"]), None)[1].all()

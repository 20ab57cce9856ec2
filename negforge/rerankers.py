"""Rerankers: what scores an anchor and a text together. Each pair is scored once, and kept under what scored it.

Scores lie in the cache like an encoder's vectors: under a digest of all files of the model, or the endpoint with its scores of
fixed pairs, in shards that are whole or not there. A table of which half is scored goes on with the other half.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import JsonValue

from negforge import rng
from negforge.encoders import KEY, client_of, files_of, folder_of, refuse_changed
from negforge.errors import InputError, RemoteError, UsageError
from negforge.vectors import Making, Wanted, found, kept

F64 = NDArray[np.float64]
RERANKS: dict[str, JsonValue] = {"format": "reranker"}  # what the schema of an option says that names one
_PROBE = ("A question that tells one model from another.", ["A text that answers it.", "Rain in the mountains."])
_BLOCK = 256
_REQUESTS_AT_ONCE = 8


@dataclass(frozen=True)
class Reranker:
    """A model by name. Nothing is loaded until something is to be scored.

    spec: a folder or a name on the Hub of a cross-encoder of sentence-transformers, or `http://HOST/v1#MODEL` for a server that
    answers POST /v1/rerank.
    """

    spec: str

    @property
    def remote(self) -> bool:
        """Whether a server scores."""
        return self.spec.startswith(("http://", "https://"))

    @functools.cached_property
    def fingerprint(self) -> str:
        """What changes whenever the scores may: the digest of all files of a model, or the endpoint with the scores of fixed pairs."""
        if self.remote:
            return rng.json_digest([self.spec, np.round(_served(self.spec)(*_PROBE), 4).tolist()])
        return rng.json_digest(["reranker", self._files])

    @functools.cached_property
    def _files(self) -> list[list[str]]:
        return files_of(folder_of(self.spec))

    @property
    def named(self) -> str:
        """The model's name and fingerprint, the same wherever it lies."""
        return f"{self.spec if self.remote else Path(self.spec).name} {self.fingerprint}"

    def score(self, pairs: pl.DataFrame) -> F64:
        """N pairs of `anchor` and `text` become n raw scores. Raises InputError for one that is no number."""
        if self.remote:
            return self._asked(pairs)
        scores = _local(str(folder_of(self.spec)), rng.json_digest(self._files))(pairs.select("anchor", "text").rows())
        if scores.shape not in ((pairs.height,), (pairs.height, 1)):
            what = f"an array of shape {scores.shape} for {pairs.height} pairs"
            raise InputError("the model gives no single score for a pair", f"{self.spec}: {what}", "use a model with one output")
        scores = scores.reshape(-1)
        bad = np.flatnonzero(~np.isfinite(scores))
        if len(bad):
            where = f"{self.spec}: {pairs['text'][int(bad[0])][:80]!r}"
            raise InputError("the model's score of a pair is not finite", where, "use another model")
        return scores

    def _asked(self, pairs: pl.DataFrame) -> F64:
        """A request for each anchor, with all of its texts, some at a time."""
        ask = _served(self.spec)
        parts = pairs.with_row_index("__row").partition_by("anchor", maintain_order=True)
        scores = np.empty(pairs.height)
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
            try:
                for part, made in zip(parts, pool.map(lambda part: ask(part["anchor"][0], part["text"].to_list()), parts), strict=True):
                    scores[part["__row"].to_numpy()] = made
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return scores


def lanes_of(anchors: pl.Series, texts: pl.Series) -> rng.Lanes:
    """The key of each pair."""
    return rng.combine([rng.strings128(anchors), rng.strings128(texts)])


def scored(reranker: Reranker, pairs: Iterable[pl.DataFrame], scratch: Path, limit_bytes: int, phase: Callable[[str], None]) -> Path:
    """The folder of a reranker's scores, with one for each of the pairs, `anchor` and `text`; a pair with a null has none.

    An anchor's pairs are scored together, so that a server is asked once about them.
    """

    def wanted() -> Iterator[Wanted]:
        for some in pairs:
            once = some.drop_nulls().unique(maintain_order=True)
            yield Wanted(once, lanes_of(once["anchor"], once["text"]), rng.strings128(once["anchor"])[0])

    making = Making("reranked", reranker.fingerprint, "scoring, {} pairs of at most {}", _BLOCK, paid=reranker.remote)
    return kept(making, wanted(), lambda block: reranker.score(block)[:, None], scratch, limit_bytes, phase)


def looked_up(folder: Path, anchors: pl.Series, texts: pl.Series) -> pl.Series:
    """The score of each pair, null for one that has none."""
    rows, there = found(folder, lanes_of(anchors, texts))
    there &= (anchors.is_not_null() & texts.is_not_null()).to_numpy()
    return pl.Series(rows[:, 0] if rows.shape[1] else np.zeros(len(rows))).set(pl.Series(~there), None)


@functools.lru_cache(maxsize=1)
def _local(folder: str, digest: str) -> Callable[[list[Any]], F64]:
    """What scores with a cross-encoder in a folder whose files have the digest, without the activation that it may name."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    texts = [path.read_text(encoding="utf-8") for name in _TELLING if (path := Path(folder) / name).exists()]
    if not any("ForSequenceClassification" in text or '"CrossEncoder"' in text for text in texts):
        what = "neither its config.json nor its config_sentence_transformers.json says so"
        raise UsageError(f"{folder} is no cross-encoder", what, "name a model that scores pairs; one that encodes texts is for score dense")
    try:
        from sentence_transformers import CrossEncoder
        from torch import nn
        from transformers.utils.logging import disable_progress_bar as quiet
    except ImportError:
        mend = 'pip install "negforge[sentence-transformers]", or name a server: http://HOST/v1#MODEL'
        raise UsageError("this model needs sentence-transformers", folder, mend) from None
    quiet()
    model = CrossEncoder(folder, trust_remote_code=False, local_files_only=True)
    refuse_changed(folder, digest)

    def score(pairs: list[Any]) -> F64:
        made = model.predict(pairs, activation_fn=nn.Identity(), convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(made, dtype=np.float64)

    return score


_TELLING = ("config.json", "config_sentence_transformers.json")


@functools.lru_cache(maxsize=2)
def _served(spec: str) -> Callable[[str, list[str]], F64]:
    """What asks a server for the scores of an anchor's texts."""
    import openai

    client, endpoint, model = client_of(spec)

    def ask(query: str, documents: list[str]) -> F64:
        body = {"model": model, "query": query, "documents": documents}
        try:
            said = json.loads(client.post("/rerank", body=body, cast_to=str))
        except openai.OpenAIError as error:
            mend = f"check the server, the model's name and {KEY}; what was scored is kept"
            raise RemoteError(f"the server did not score: {error}", endpoint, mend) from error
        except ValueError as error:
            raise RemoteError("the server answered with no JSON", endpoint, "check the server's address") from error
        return _read(said, len(documents), f"{endpoint}/rerank, asked about {query[:80]!r}")

    return ask


def _read(said: Any, count: int, where: str) -> F64:
    """The scores in the order of the documents. Raises RemoteError for an answer that lacks one, or has one too many."""
    results = said.get("results") if isinstance(said, dict) else None
    if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
        raise RemoteError("the server's answer has no results", where, "it has to answer as /v1/rerank of vLLM, Jina or Cohere does")
    index = [one.get("index") for one in results]
    if any(type(one) is not int for one in index) or sorted(index) != [*range(count)]:
        what = f"{len(results)} scores for {count} texts" if len(results) != count else f"scores of the texts {index}, of {count}"
        raise RemoteError(f"the server gave {what}", where, "check the server: each text is to have one score")
    scores = np.full(count, np.nan)
    for one in results:
        value = one.get("relevance_score")
        scores[one["index"]] = value if isinstance(value, int | float) and not isinstance(value, bool) else np.nan
    if not np.isfinite(scores).all():
        raise RemoteError("the server gave a score that is no number", where, "check the server's model")
    return scores

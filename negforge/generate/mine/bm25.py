"""Choose the best lexical matches of the anchor in a corpus: BM25 over an index on disk.

Ties are read to their end and cut by (score, id), so that the list is the same on any machine; the index has one writer,
fed in the order of ids, and is cached under the content it was made of. Scores are tantivy's BM25 with k1 1.2 and b 0.75,
which it does not let one change.
Source: Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009; texttron/tevatron#87 (record the settings).
"""

from __future__ import annotations

import functools
import logging
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import tantivy
from pydantic import Field

from negforge import rng
from negforge.contract import Declares
from negforge.corpus import CorpusStore, cached
from negforge.records import Corpus, Pairs

DECLARES = Declares(
    version=1,
    scope="anchor",
    reads=Pairs,
    label="negative",
    opposition="unrelated",
    evidence=("not-known-positive",),
    verifiers=("known-positive",),
    fixed={"k1": 1.2, "b": 0.75},
)
_BODY = "body"
_HEAP_BYTES = 64_000_000
_COMMIT_SECONDS = 5.0  # what a build that is killed loses at most
_ROWS_A_LOOK = 1024  # rows between looks at the clock
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """The corpus by row number and the index folder."""

    corpus: CorpusStore
    index: Path
    tokeniser: str


def prepare(
    corpus: Corpus,
    max_memory: int,
    *,
    tokeniser: Annotated[
        Literal["simple", "english", "whitespace"],
        Field(description="Words: `simple` splits at signs and lower-cases, `english` also stems, `whitespace` splits at blanks."),
    ] = "simple",
) -> State:
    """Index the corpus, or find the index made of the same content before."""
    store = CorpusStore.of(corpus, max_memory)
    key = f"bm25-{rng.blake('bm25 index 1', corpus.digest, tokeniser, metadata.version('tantivy'))}"
    return State(store, cached(key, lambda folder: _write(store, folder, tokeniser), goes_on=True), tokeniser)


def generate(
    batch: Pairs,
    state: State,
    *,
    num_negatives: int,
    depth: Annotated[int, Field(ge=1, description="How many of the best matches are candidates.")] = 100,
) -> pl.DataFrame:
    """The `depth` best matches of each anchor.

    batch: whole anchors. Returns rows (anchor_id, corpus_row, rank from 1, score_bm25, miner), best first for each anchor;
    an anchor that shares no word with the corpus has none.
    """
    anchors = batch.frame.unique("anchor_id", keep="first", maintain_order=True)
    found: dict[str, list[Any]] = {"anchor_id": [], "corpus_row": [], "rank": [], "score_bm25": []}
    size = state.corpus.size
    depth = min(max(depth, 2 * num_negatives), size)
    searcher, schema, analyse = _open(str(state.index), state.tokeniser)
    for anchor_id, text in zip(anchors["anchor_id"], anchors["anchor"], strict=True):
        hits = _search(searcher, schema, analyse(text) if size else [], depth, size)
        found["anchor_id"] += [anchor_id] * len(hits)
        found["corpus_row"] += [row for _, row in hits]
        found["rank"] += range(1, len(hits) + 1)
        found["score_bm25"] += [score for score, _ in hits]
    types = {"anchor_id": pl.String, "corpus_row": pl.Int64, "rank": pl.Int64, "score_bm25": pl.Float64}
    return pl.DataFrame(found, schema=types).with_columns(pl.lit("bm25").alias("miner"))


def _search(searcher: Any, schema: Any, words: list[str], depth: int, size: int) -> list[tuple[float, int]]:
    """The best `depth` of (score, row), ties by row, which is the order of ids."""
    if not words:
        return []
    # Terms are built one by one: the anchor's text never meets a query parser.
    terms = [
        (tantivy.Occur.Should, tantivy.Query.boost_query(tantivy.Query.term_query(schema, _BODY, word), float(count)))
        for word, count in sorted(Counter(words).items())
    ]
    query = tantivy.Query.boolean_query(terms)
    limit = min(depth + 16, size)
    while True:
        hits = searcher.search(query, limit=limit, count=False).hits
        # Read on until the score falls below the last one wanted, so that no tie is cut by the index's whim.
        if len(hits) < limit or limit >= size or hits[-1][0] < hits[depth - 1][0]:
            break
        limit = min(limit * 4, size)
    rows = searcher.fast_field_values("row", [address for _, address in hits])
    ranked = sorted(zip((-score for score, _ in hits), rows, strict=True))
    return [(-score, row) for score, row in ranked[:depth]]


def _analyser(tokeniser: str) -> Any:
    if tokeniser == "whitespace":
        return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    # A word is a run of letters and digits; a pattern, since the built-in splitter drops words above 40 bytes.
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.regex(r"[\p{L}\p{N}\p{M}]+")).filter(tantivy.Filter.lowercase())
    return (builder.filter(tantivy.Filter.stemmer("English")) if tokeniser == "english" else builder).build()


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(_BODY, stored=False, tokenizer_name="words", index_option="freq")
    builder.add_unsigned_field("row", stored=False, indexed=False, fast=True)
    return builder.build()


def _write(store: CorpusStore, folder: Path, tokeniser: str) -> None:
    """Index the texts, or go on behind those that are committed: documents come in the order of rows, and a commit takes all."""
    try:
        index = tantivy.Index(_schema(), path=str(folder))
        done = index.searcher().num_docs
    except (OSError, ValueError):  # what was left is damaged
        shutil.rmtree(folder)
        folder.mkdir()
        index, done = tantivy.Index(_schema(), path=str(folder)), 0
    index.register_tokenizer("words", _analyser(tokeniser))
    if done:
        _log.info("%s of %s texts were indexed before", f"{done:,}", f"{store.size:,}")
    writer = index.writer(heap_size=_HEAP_BYTES, num_threads=1)
    committed = time.monotonic()
    for row, text in enumerate(store.texts(done), start=done):
        document = tantivy.Document()
        document.add_text(_BODY, text)
        document.add_unsigned("row", row)
        writer.add_document(document)
        if row % _ROWS_A_LOOK == 0 and time.monotonic() - committed >= _COMMIT_SECONDS:
            writer.commit()
            committed = time.monotonic()
    writer.commit()
    writer.wait_merging_threads()


@functools.lru_cache(maxsize=2)
def _open(path: str, tokeniser: str) -> tuple[Any, Any, Any]:
    index = tantivy.Index.open(path)
    analyser = _analyser(tokeniser)
    index.register_tokenizer("words", analyser)
    index.reload()
    return index.searcher(), index.schema, analyser.analyze

"""The words of texts, and BM25 by them over a corpus: an index on disk, its search, and its statistics for any text.

Scores are tantivy's, with k1 1.2 and b 0.75, which it does not let one change. A text's length counts as the next lower of 256
steps, which are exact up to 40 words and 1/8 wide at most above; the average length is exact.
"""

from __future__ import annotations

import functools
import json
import logging
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tantivy
from pydantic import Field

from negforge import rng
from negforge.corpus import CorpusStore, cached
from negforge.records import Corpus

K1, B = 1.2, 0.75
Tokeniser = Annotated[
    Literal["simple", "english", "whitespace"],
    Field(description="Words: `simple` splits at signs and lower-cases, `english` also stems, `whitespace` splits at blanks."),
]
_WORD = r"[\p{L}\p{N}\p{M}]+"
_NO_BLANK = r"[^\t\n\x0c\r ]+"
_LONGEST_WORD = 65_530  # bytes; the index takes no longer one and counts none
_BODY = "body"
_HEAP_BYTES = 64_000_000
_COMMIT_SECONDS = 5.0  # what a build that is killed loses at most
_ROWS_A_LOOK = 1024  # rows between looks at the clock
_TEXTS_HELD = 512
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Index:
    """A corpus by row number, the folder of its index, and what its words are. Picklable: paths travel."""

    corpus: CorpusStore
    path: Path
    tokeniser: str

    @classmethod
    def of(cls, corpus: Corpus, max_memory: int, tokeniser: str) -> Index:
        """Index the corpus, or find the index made of the same content before."""
        store = CorpusStore.of(corpus, max_memory)
        key = f"bm25-{rng.blake('bm25 index 1', corpus.digest, tokeniser, metadata.version('tantivy'))}"
        return cls(store, cached(key, lambda folder: _write(store, folder, tokeniser), goes_on=True), tokeniser)

    def search(self, text: str, depth: int) -> list[tuple[float, int]]:
        """The best `depth` of (score, corpus row) for a text, ties by row, which is the order of ids."""
        searcher, schema, analyse = _open(str(self.path), self.tokeniser)
        size = self.corpus.size
        words = analyse(text) if size else []
        if not words:
            return []
        # Terms are built one by one: the text never meets a query parser.
        terms = [
            (tantivy.Occur.Should, tantivy.Query.boost_query(tantivy.Query.term_query(schema, _BODY, word), float(count)))
            for word, count in sorted(Counter(words).items())
        ]
        query = tantivy.Query.boolean_query(terms)
        depth = min(depth, size)
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


@dataclass(frozen=True)
class Statistics:
    """What BM25 knows of a corpus, for the score of any text. Picklable; how many texts hold a word stays in the index.

    words: of all texts of the corpus together.
    """

    index: Index
    words: int

    @classmethod
    def of(cls, corpus: Corpus, max_memory: int, tokeniser: str) -> Statistics:
        """The statistics of a corpus: those of its index, and its number of words, counted once and kept in the cache."""
        index = Index.of(corpus, max_memory, tokeniser)
        key = f"bm25-words-{rng.blake('bm25 words 1', corpus.digest, tokeniser)}"
        folder = cached(key, lambda folder: _count(index, folder))
        return cls(index, int(json.loads((folder / "words.json").read_text(encoding="utf-8"))))

    def scorer(self) -> Scorer:
        """What scores texts, for one batch: it holds what it was asked lately."""
        return Scorer(self)


class Scorer:
    """BM25 of a text against a query, as the index scores a text of the corpus."""

    def __init__(self, statistics: Statistics) -> None:
        index = statistics.index
        self._searcher, _, self._analyse = _open(str(index.path), index.tokeniser)
        self._texts = index.corpus.size
        # Of a corpus without words every text is as long as the average.
        self._average = statistics.words / self._texts if statistics.words else 0.0
        self._query = functools.lru_cache(maxsize=_TEXTS_HELD)(self._weights)
        self._text = functools.lru_cache(maxsize=_TEXTS_HELD)(self._counted)
        self._idf = functools.cache(self._rarity)

    def score(self, query: str, text: str) -> float:
        """The sum over the query's words, repeated ones as often as they stand there; 0 where the text has none of them."""
        counts, norm = self._text(text)
        return sum(weight * counts[word] * (K1 + 1) / (counts[word] + norm) for word, weight in self._query(query) if word in counts)

    def _words(self, text: str) -> list[str]:
        words: list[str] = self._analyse(text)
        return words if len(text) * 4 <= _LONGEST_WORD else [word for word in words if len(word.encode()) <= _LONGEST_WORD]

    def _weights(self, query: str) -> list[tuple[str, float]]:
        return [(word, count * self._idf(word)) for word, count in sorted(Counter(self._words(query)).items())]

    def _rarity(self, word: str) -> float:
        # In single precision, as the index has it: of a word that nearly all texts hold, little is left of the digits.
        holding = self._searcher.doc_freq(_BODY, word)
        others = np.float32(self._texts - holding)
        return float(np.log(np.float32(1) + (others + np.float32(0.5)) / (np.float32(holding) + np.float32(0.5))))

    def _counted(self, text: str) -> tuple[Counter[str], float]:
        words = self._words(text)
        share = step(len(words)) / self._average if self._average else 1.0
        return Counter(words), K1 * (1 - B + B * share)


def _step_of(number: int) -> int:
    if number < 24:
        return number
    bits, shift = (number - 24) & 7, ((number - 24) >> 3) - 1
    return 24 + (bits if shift < 0 else (bits | 8) << shift)


_STEPS = np.array([_step_of(number) for number in range(256)])


def step(length: int) -> int:
    """The length in words as the index keeps it, in a byte."""
    return int(_STEPS[np.searchsorted(_STEPS, length, side="right") - 1])


def _count(index: Index, folder: Path) -> None:
    """Count the words of the corpus, by the same definition of a word but without making one."""
    pattern = _NO_BLANK if index.tokeniser == "whitespace" else _WORD
    analyse = _analyser(index.tokeniser).analyze
    total = 0
    for batch in index.corpus.batches():
        text = batch["text"]
        total += int(text.str.count_matches(pattern).sum())
        for long in text.filter(text.str.len_bytes() > _LONGEST_WORD).to_list():
            total -= sum(len(word.encode()) > _LONGEST_WORD for word in analyse(long))
    (folder / "words.json").write_text(json.dumps(total), encoding="utf-8")


def _analyser(tokeniser: str) -> Any:
    if tokeniser == "whitespace":
        return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    # A word is a run of letters and digits; a pattern, since the built-in splitter drops words above 40 bytes.
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.regex(_WORD)).filter(tantivy.Filter.lowercase())
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

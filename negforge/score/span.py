"""Score the negative by the part of the anchor it is nearest to: the greatest similarity to any span of 1 to 6 of its words.

A right answer to one part of an anchor hides behind a low similarity to the whole: `maintains Java services and trains staff`
is far from `train employees`, its last three words are not. A long candidate is compared sentence by sentence.
- `score_span`: the negative; `score_span_positive`: this row's positive; `score_span_weakest`: the least of the anchor's
  positives. Cosines from -1 to 1, null where a text has no word.
- `span_matched`: the words of the anchor that the negative is nearest to, so that a person sees why.

Spans are encoded once and kept, whatever anchors they stand in: a threshold is `filter margin --by span --max-score`, and
`negforge calibrate` says which. Measured with MiniLM on sentences with several right labels, at equal mean similarity to the anchor: a
sixth to a twentieth of the right labels that a limit on the whole text leaves, at 0.6 and 0.55. It fails where the answer stands in no
part of the anchor (a word and its definition: 0.72 to 0.85 of them), where the anchor says one thing (claims and abstracts: as many,
or more), where the encoder does, on words of several senses, and where every span is general (`what is it`).
Source: Decorte et al., Extreme Multi-Label Skill Extraction, 2023 (sentences with many right labels); the measure is negforge's own.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field

from negforge import search
from negforge.contract import Declares
from negforge.encoders import Encoder
from negforge.paired import with_weakest
from negforge.records import Batches, Negatives
from negforge.spans import sentences
from negforge.text import CJK
from negforge.vectors import CorpusPrompt, GivenModel, Lookup, Prompt, encoded

DECLARES = Declares(version=1, scope="anchor", reads=Negatives, cost="model", least_rows=1024)
_WORD = re.compile(rf"[{CJK}]|[^\W_{CJK}](?:[^\s{CJK}]*[^\W_{CJK}])?[+#%]*")
_BREAK = re.compile(r"[.!?;:\n\u3002\uff01\uff1f](?:\s|$)")
_TEXTS_AT_ONCE = 1 << 12
_SENTENCE_WORDS = 64


@dataclass(frozen=True)
class State:
    """Where the vectors of spans and of sentences are."""

    spans: Lookup
    sentences: Lookup
    record: dict[str, str]


def prepare(
    inputs: Batches,
    scratch: Path,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    model: GivenModel,
    anchor_prompt: Prompt = "",
    corpus_prompt: CorpusPrompt = "",
    max_words: Annotated[int, Field(ge=1, le=32, description="The most words of a span.")] = 6,
) -> State:
    """Encode the spans of all anchors and the sentences of all texts that are not yet encoded."""
    texts_by = Encoder(model, corpus_prompt)
    spans_by = texts_by if anchor_prompt == corpus_prompt else Encoder(model, anchor_prompt)

    def spans() -> Iterator[pl.Series]:
        for frame in inputs(_TEXTS_AT_ONCE):
            yield _listed(one for text in frame["anchor"].unique(maintain_order=True).to_list() for one in spans_of(text, max_words))

    def pieces() -> Iterator[pl.Series]:
        for frame in inputs(_TEXTS_AT_ONCE):
            for name in ("positive", "negative"):
                yield _listed(one for text in frame[name].unique(maintain_order=True).to_list() for one in _pieces(text))

    limit = max_memory // 8
    left = Lookup(encoded(spans_by, spans(), scratch / "spans", limit, phase), "text", "cosine")
    right = Lookup(encoded(texts_by, pieces(), scratch / "sentences", limit, phase), "text", "cosine")
    return State(left, right, {"model": texts_by.named})


def score(batch: Negatives, state: State, *, max_words: int = 6) -> pl.DataFrame:
    """Three scores and the matched span.

    batch: whole anchors, with `anchor`, `positive`, `negative`.
    """
    frame = batch.frame
    columns: dict[str, list[float | None]] = {"negative": [None] * frame.height, "positive": [None] * frame.height}
    matched: list[str | None] = [None] * frame.height
    for rows in frame.with_row_index("__row").partition_by("anchor", maintain_order=True):
        spans = spans_of(rows["anchor"][0], max_words)
        if not spans:
            continue
        left, there = state.spans.take(_listed(spans), None)
        left, spans = left[there], [span for span, is_there in zip(spans, there.tolist(), strict=True) if is_there]
        places = rows["__row"].to_list()
        for name, found in columns.items():
            texts = rows[name].to_list()
            best = _best(left, [*dict.fromkeys(texts)], state.sentences)
            for place, text in zip(places, texts, strict=True):
                if text in best:
                    found[place], at = best[text]
                    if name == "negative":
                        matched[place] = spans[at]
    made = {
        "score_span": pl.Series(columns["negative"], dtype=pl.Float64),
        "score_span_positive": pl.Series(columns["positive"], dtype=pl.Float64),
        "span_matched": pl.Series(matched, dtype=pl.String),
    }
    return with_weakest(made, frame["anchor_id"], "span")


def _best(spans: search.F32, texts: list[str | None], lookup: Lookup) -> dict[str | None, tuple[float, int]]:
    """Of each text the greatest similarity of any of its sentences to any span, and the span; of none without a vector."""
    parts = [_pieces(text) for text in texts]
    pieces = [piece for part in parts for piece in part]
    if not pieces or not len(spans):
        return {}
    right, there = lookup.take(_listed(pieces), None)
    scores = spans @ right.T
    scores[:, ~there] = -np.inf
    span = scores.argmax(axis=0)
    near = search.paired(spans[span], right)
    found: dict[str | None, tuple[float, int]] = {}
    start = 0
    for text, part in zip(texts, parts, strict=True):
        here = [at for at in range(start, start + len(part)) if there[at]]
        start += len(part)
        if here:
            best = max(here, key=near.__getitem__)
            found[text] = float(near[best]), int(span[best])
    return found


@functools.lru_cache(maxsize=1 << 12)
def spans_of(text: str | None, max_words: int) -> list[str]:
    """Every run of 1 to `max_words` words of a text, none across the end of a clause, each once, in order."""
    found: dict[str, None] = {}
    for clause in _BREAK.split(text or ""):
        words = [match.span() for match in _WORD.finditer(clause)]
        for first, (start, _) in enumerate(words):
            for _, end in words[first : first + max_words]:
                found[clause[start:end]] = None
    return [*found]


def _pieces(text: str | None) -> list[str]:
    """The sentences of a text, of two or more the whole text as well."""
    parts = [(text or "")[start:end] for start, end in sentences(text or "", _SENTENCE_WORDS)]
    return parts if len(parts) < 2 else [*dict.fromkeys([*parts, text or ""])]


def _listed(texts: Iterator[str] | list[str]) -> pl.Series:
    return pl.Series("text", [*texts], dtype=pl.String)

"""Write transcripts as a recogniser might mishear the positive, each with exactly as many word errors as asked for.

A word is substituted by one that sounds alike, by itself with a sound changed, or by another of the text; one is put in, or one left
out. Each hypothesis is compared with its reference: Levenshtein's distance in words, without case and punctuation, is the number
asked for, neither more nor less, so none equals the reference. `--errors` may come several times; a row's candidates take the
numbers in turn, as an n-best list has them.

As a transcript such a text is surely wrong; what it says may be right all the same: the opposition is `noisy`. Columns: `n_errors`,
and `score_wer` and `score_wer_cer` as `score wer` makes them. Refused: `no-word`, `protected`, `too-short` (without insertions a text
cannot have as many errors, and one word stays), `no-exact` (no draw had as many). In scripts without blanks each character is a word.
Paper: Gao et al., Paraformer, arXiv:2206.08317 (sampled hypotheses for minimum word error rate); Prabhavalkar et al., Minimum Word Error
Rate Training, arXiv:1712.01818.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import AfterValidator, Field

from negforge.contract import Chosen, Declares, Refusal
from negforge.errorrates import cut, rates
from negforge.errorrates import errors as word_errors
from negforge.pieces import Draws, Span, between, is_unspaced, refuse_taken, spliced, words
from negforge.records import Pairs
from negforge.rng import Rng
from negforge.sounds import SOUNDS

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    label="negative",
    opposition="noisy",
    evidence=("errors",),
    verifiers=("equivalent", "known-positive"),
)
Kind = Literal["substitute", "insert", "delete"]
Change = tuple[int, int, str]

_COLUMNS: dict[str, Any] = {
    "id": pl.String,
    "negative": pl.String,
    "n_errors": pl.Int64,
    "score_wer": pl.Float64,
    "score_wer_cer": pl.Float64,
}
_TRIES = 8  # draws for one hypothesis
_LONGEST = 20_000  # characters: the cost is the product of both lengths
_FILLERS = {"en": ("uh", "um", "the", "a", "and")}
_ALIKE = dict(zip("bpdtgkmnfvszlrieaou", "pbtdkgnmvfzsrlieeuo", strict=True)) | {"i": "e", "e": "i", "a": "e"}
_SOUNDED = re.compile(f"[{''.join(_ALIKE)}]")


def _some(kinds: list[Kind]) -> list[Kind]:
    """The kinds, if there is one and none twice; else ValueError."""
    if not kinds or len({*kinds}) < len(kinds):
        raise ValueError("names each kind once, and one at least")
    return kinds


def _counts(numbers: list[int]) -> list[int]:
    """The numbers, if there is one; else ValueError."""
    if not numbers:
        raise ValueError("takes one number at least")
    return numbers


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave words alone that overlap a match of this regular expression.")] = r"(?!)",
    errors: Annotated[
        list[Annotated[int, Field(ge=1, le=1000)]],
        Field(description="Word errors of a hypothesis; several are taken in turn. Repeatable."),
        AfterValidator(_counts),
    ] = [1, 2, 3],  # noqa: B006
    kind: Annotated[list[Kind], Field(description="What an error may be. Repeatable."), AfterValidator(_some)] = [  # noqa: B006
        "substitute",
        "insert",
        "delete",
    ],
    num_negatives: int = 1,
    language: str = "en",
) -> Chosen:
    """Write hypotheses of each `positive`, or say why not.

    batch: n rows of `id`, `positive`. A row's candidates are distinct, and take the numbers of errors in turn. A text of more than
    20,000 characters is refused as `too-long`.
    """
    refuse_taken(batch, [*_COLUMNS][2:], "perturb.hypotheses")
    protected = None if protect == r"(?!)" else re.compile(protect)
    rows: list[tuple[str, str, int, float | None, float | None]] = []
    refusals: list[Refusal] = []
    for row_id, text in zip(batch["id"].to_list(), batch["positive"].to_list(), strict=True):
        spans = words(text) if len(text) <= _LONGEST else []
        free = _free(text, spans, protected)
        reason = _hopeless(text, spans, free, errors, kind)
        seen: set[str] = set()
        for turn in range(0 if reason else num_negatives + _TRIES):
            wanted = errors[turn % len(errors)]
            new = _hypothesis(text, spans, free, wanted, kind, language, Draws(rng, row_id, turn))
            if new is not None and new not in seen:
                seen.add(new)
                rows.append((row_id, new, wanted, *rates(text, new)))
            if len(seen) == num_negatives:
                break
        if not seen:
            refusals.append(Refusal(row_id, reason or "no-exact", text[:40]))
    return Chosen(pl.DataFrame(rows, schema=_COLUMNS, orient="row"), refusals)


def _free(text: str, spans: list[Span], protected: re.Pattern[str] | None) -> list[int]:
    """The places of the words that may be changed."""
    kept = [match.span() for match in protected.finditer(text)] if protected else []
    return [place for place, (start, end) in enumerate(spans) if not any(a < end and start < b for a, b in kept)]


def _hopeless(text: str, spans: list[Span], free: list[int], numbers: list[int], kinds: list[Kind]) -> str:
    """Why no hypothesis can be made of a text, or nothing."""
    if len(text) > _LONGEST:
        return "too-long"
    if not spans:
        return "no-word"
    if not free:
        return "protected"
    most = len(spans) - 1 if kinds == ["delete"] else len(spans)
    return "too-short" if "insert" not in kinds and min(numbers) > most else ""


def _hypothesis(text: str, spans: list[Span], free: list[int], wanted: int, kinds: list[Kind], language: str, draws: Draws) -> str | None:
    """A text with so many word errors, or None where no draw had as many."""
    right = cut(text)
    for _ in range(_TRIES):
        order = draws.shuffled(free)
        changes: dict[int, Change] = {}
        insertions: list[Change] = []
        missing = wanted
        for _ in range(_TRIES):
            places, order = order[:missing], order[missing:]
            places += [free[draws.below(len(free))] for _ in range(missing - len(places))]
            for place in places:
                kind = kinds[draws.below(len(kinds))]
                if kind == "insert" or (place in changes and "insert" in kinds):
                    insertions.append(_inserted(text, spans, place, language, draws))
                elif place not in changes:
                    deletes = kind == "delete"
                    changes[place] = _deleted(text, spans, place, changes) if deletes else _substituted(text, spans, place, language, draws)
            new = spliced(text, [*changes.values(), *insertions])
            wrong = cut(new)
            # Two changes may cost one error: a word put in beside one left out is one substituted.
            missing = wanted - word_errors(right, wrong)
            if missing <= 0:
                break
        if wrong and not missing:
            return new
    return None


def _substituted(text: str, spans: list[Span], place: int, language: str, draws: Draws) -> Change:
    """A word in the place of another: one that sounds alike, with a sound changed, or another of the text."""
    start, end = spans[place]
    word = text[start:end]
    if language == "en" and word in SOUNDS and draws.below(4):
        return start, end, SOUNDS[word]
    sounds = [match.start() for match in _SOUNDED.finditer(word)] if len(word) > 2 else []
    if sounds and draws.below(4):
        at = sounds[draws.below(len(sounds))]
        return start, end, word[:at] + _ALIKE[word[at]] + word[at + 1 :]
    other = spans[draws.below(len(spans))]
    return start, end, text[other[0] : other[1]]


def _inserted(text: str, spans: list[Span], place: int, language: str, draws: Draws) -> Change:
    """A word before another: a filler, or one of the text."""
    start, end = spans[place]
    fillers = _FILLERS.get(language, ())
    if fillers and not is_unspaced(text[start:end]) and draws.below(2):
        word = fillers[draws.below(len(fillers))]
    else:
        one = spans[draws.below(len(spans))]
        word = text[one[0] : one[1]]
    return start, start, word + between(word)


def _deleted(text: str, spans: list[Span], place: int, changes: dict[int, Change]) -> Change:
    """Nothing in the place of a word and the blank beside it."""
    start, end = spans[place]
    if text[end : end + 1] == " ":
        return start, end + 1, ""
    before = place and place - 1 not in changes and text[start - 1] == " "
    return start - (1 if before else 0), end, ""

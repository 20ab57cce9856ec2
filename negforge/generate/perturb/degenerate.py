"""Write answers that fail in form: broken off, caught in a loop, a copy of the question, or empty.

- `truncated`: the first sentence breaks off within its first three fifths, after a word that nothing can end on (`the`, `of`), inside
  an open bracket or inside a word, so that what was to be said is missing. With `--answers` it ends before the first accepted
  answer, wherever that stands;
- `looping`: some words of the first three fifths are said three to six times on end, and then nothing more;
- `copied`: the question itself. Only where the anchor is a question and the positive is none: a copied claim would be true;
- `empty`: nothing at all, and the last thing to be tried.

The column `degeneration` says which. Refused: `too-short` (fewer than four words, or in the first sentence), `no-open-end`,
`answer-first`, `answer-held` (what came out holds an accepted answer all the same), `no-question`. Which words end nothing is known
of English, German, French, Spanish, Norwegian, Danish and Swedish, and of Chinese and Japanese, by characters; in other languages a
text breaks off inside a word or bracket.
Paper: Holtzman et al., The Curious Case of Neural Text Degeneration, arXiv:1904.09751 (loops); hbin0701/Self-Explore (truncated and
looping rejected answers).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import AfterValidator, Field

from negforge.contract import Chosen, Declares, Refusal
from negforge.errors import InputError
from negforge.pieces import Draws, Span, between, clusters, is_unspaced, refuse_taken, words
from negforge.records import Pairs, missing_column
from negforge.rng import Rng

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    label="negative",
    opposition="degenerate",
    evidence=("degenerate",),
    verifiers=("equivalent", "known-positive"),
    bar=0.95,
)
Kind = Literal["truncated", "looping", "copied", "empty"]

_COLUMNS: dict[str, Any] = {"id": pl.String, "negative": pl.String, "degeneration": pl.String}
_ROUNDS = 6
_LAST = 0.6  # share of the words within which a text breaks off or starts to repeat itself
_FARTHEST = 2000  # words beyond which nothing begins, so that a very long text gives no very long row
_LEAST_WORDS = 4
_SENTENCE_END = re.compile(r"[.!?\u061f\u0964]['\")\]\u201d\u2019\u00bb]*(?:\s|\Z)|[\u3002\uff01\uff1f\n]")
_QUESTION_END = re.compile(r"[?\u061f\uff1f]['\")\]\u201d\u2019\u00bb\s]*\Z")
_ASKING = re.compile(r"(?is)\s*(?:who|whom|whose|what|when|where|why|which|how)\s(?!.*[.!]\s*\Z)")
_OPENERS = {
    "en": "the a an of and or from into because although whose their my your every with by for than",
    "de": "der dem den des ein eine einen einem eines und oder von mit aus bei für zum zur im am weil dass",
    "fr": "le la les de des du et ou un une dans avec pour par sur que",
    "es": "el la los las de del y o un una con por para en que",
    "nb": "og eller en et av fra med for som at",
    "da": "og eller en et af fra med for som at",
    "sv": "och eller en ett av från med för som att",
}
_BY_LANGUAGE = {language: frozenset(listed.split()) for language, listed in _OPENERS.items()}
_CHARACTERS = frozenset("をがはと把被和与")
_PAIRS = {"(": ")", "[": "]", "{": "}", "\u00ab": "\u00bb", "\u300c": "\u300d", "\uff08": "\uff09"}


def _some(kinds: list[Kind]) -> list[Kind]:
    """The kinds, if there is one and none twice; else ValueError."""
    if not kinds or len({*kinds}) < len(kinds):
        raise ValueError("names each kind once, and one at least")
    return kinds


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    kind: Annotated[
        list[Kind],
        Field(description="A way to fail; each row takes them in an order of its own, an empty answer last. Repeatable."),
        AfterValidator(_some),
    ] = ["truncated", "looping", "copied", "empty"],  # noqa: B006
    answers: Annotated[
        str | None, Field(description="Column of the accepted answers, a text or a list of texts; a text breaks off before the first.")
    ] = None,
    num_negatives: int = 1,
    language: str = "en",
) -> Chosen:
    """Spoil each `positive`, or say why not.

    batch: n rows of `id`, `anchor`, `positive`, and the answers' column if one is named. A row's candidates are distinct: one of each
    kind that fits, then others. Raises InputError for a column of answers that is not there.
    """
    refuse_taken(batch, [*_COLUMNS][2:], "perturb.degenerate")
    accepted = _accepted(batch, answers)
    rows: list[tuple[str, str, str]] = []
    refusals: list[Refusal] = []
    columns = (batch["id"].to_list(), batch["anchor"].to_list(), batch["positive"].to_list(), accepted)
    for row_id, anchor, text, right in zip(*columns, strict=True):
        seen: set[str] = set()
        reasons: list[Refusal] = []
        for name, new in _spoilt(row_id, anchor, text, right, rng, kind, language, reasons):
            if new != text and new not in seen:
                seen.add(new)
                rows.append((row_id, new, name))
            if len(seen) == num_negatives:
                break
        if not seen:
            refusals.append(reasons[0])
    return Chosen(pl.DataFrame(rows, schema=_COLUMNS, orient="row"), refusals)


def _accepted(batch: Pairs, name: str | None) -> list[list[str]]:
    """The accepted answers of each row, none of them blank."""
    if name is None:
        return [[]] * len(batch)
    if name not in batch:
        raise missing_column("answers", batch.frame.columns, "the table", name)
    column = batch[name]
    if column.dtype == pl.String:
        column = column.reshape((-1, 1)).arr.to_list() if len(column) else column.cast(pl.List(pl.String))
    if column.dtype != pl.List(pl.String):
        raise InputError(f"column '{name}' holds no texts", f"it is of type {batch[name].dtype}", "name one of texts, or of lists of texts")
    return [[one for one in found or [] if one and one.strip()] for found in column.to_list()]


def _spoilt(
    row_id: str, anchor: str, text: str, answers: Sequence[str], rng: Rng, kinds: Sequence[Kind], language: str, reasons: list[Refusal]
) -> Iterator[tuple[str, str]]:
    """What a text becomes, by kind, in order of preference; why a kind does not fit goes to the reasons. Texts may come twice."""
    order = [kinds[place] for place in Draws(rng, row_id, "kinds").shuffled(range(len(kinds)))]
    order.sort(key="empty".__eq__)  # all empty answers are alike
    spans = words(text)
    makers: dict[str, Callable[[Draws], str | Refusal]] = {
        "truncated": lambda draws: _truncated(row_id, text, spans, answers, draws, language),
        "looping": lambda draws: _looping(row_id, text, spans, draws),
        "copied": lambda _: _copied(row_id, anchor, text, language),
        "empty": lambda _: "",
    }
    for turn in range(_ROUNDS):
        for name in order:
            if turn and name in ("copied", "empty"):
                continue
            made = makers[name](Draws(rng, row_id, name, turn))
            if isinstance(made, str) and any(_standing(answer, made) for answer in answers):
                made = Refusal(row_id, "answer-held", made[:40])
            if isinstance(made, str):
                yield name, made
            else:
                reasons.append(made)


def _copied(row_id: str, anchor: str, text: str, language: str) -> str | Refusal:
    """The anchor, if it asks what the text does not."""
    return anchor if _asks(anchor, language) and not _asks(text, language) else Refusal(row_id, "no-question", anchor[:40])


def _asks(text: str, language: str) -> bool:
    """Whether a text ends with a question mark, or is in English a question without one."""
    return _QUESTION_END.search(text) is not None or (language == "en" and _ASKING.match(text) is not None)


def _truncated(row_id: str, text: str, spans: list[Span], answers: Sequence[str], draws: Draws, language: str) -> str | Refusal:
    """The text up to where it breaks off."""
    firsts = [found.start() for answer in answers if (found := _standing(answer, text))]
    if firsts:
        before = [span for span in spans if span[1] <= min(firsts)]
        if len(before) < 2:
            return Refusal(row_id, "answer-first", text[min(firsts) :][:40])
        opened = [end for place, (_, end) in enumerate(before) if place and _opens(text, before, place, language)]
        return text[: opened[draws.below(len(opened))]] if opened and draws.below(2) else text[: before[-1][1]]
    stop = _SENTENCE_END.search(text)
    sentence = [span for span in spans[:_FARTHEST] if stop is None or span[1] <= stop.start()]
    if len(sentence) < _LEAST_WORDS:
        return Refusal(row_id, "too-short", text[:40])
    most = int(_LAST * len(sentence))
    opened = [sentence[place][1] for place in range(1, most) if _opens(text, sentence, place, language)]
    if opened:
        return text[: opened[draws.below(len(opened))]]
    stumps = [place for place in range(1, most) if _breaks(text, sentence[place])]
    if not stumps:
        return Refusal(row_id, "no-open-end", text[:40])
    start, end = sentence[stumps[draws.below(len(stumps))]]
    letters = clusters(text[start:end])
    return text[:start] + "".join(letters[: 3 + draws.below(len(letters) - 5)])


def _standing(answer: str, text: str) -> re.Match[str] | None:
    """Where an answer stands in a text, as words of their own."""
    edges = ("", "") if is_unspaced(answer) else (r"(?<!\w)", r"(?!\w)")
    return re.search(edges[0] + re.escape(answer.strip()) + edges[1], text, re.IGNORECASE)


def _opens(text: str, spans: Sequence[Span], place: int, language: str) -> bool:
    """Whether a text cannot end with the word at a place."""
    start, end = spans[place]
    word = text[start:end]
    if word in _CHARACTERS or word.casefold() in _BY_LANGUAGE.get(language, ()):
        return True
    opened = [one for one in text[:end] if one in _PAIRS]
    return any(text.count(one, 0, end) > text.count(_PAIRS[one], 0, end) for one in {*opened})


def _breaks(text: str, span: Span) -> bool:
    """Whether a word is long enough to break off inside, and of letters alone."""
    word = text[span[0] : span[1]]
    return not is_unspaced(word) and len(clusters(word)) > 5 and not any(one.isnumeric() or one in "-'\u2019_" for one in word)


def _looping(row_id: str, text: str, spans: list[Span], draws: Draws) -> str | Refusal:
    """The text up to some words, and these again and again. A short text would be said whole."""
    if len(spans) < _LEAST_WORDS:
        return Refusal(row_id, "too-short", text[:40])
    spans = spans[:_FARTHEST]
    size = min(3 + draws.below(4), len(spans) - 1)
    first = draws.below(max(1, int(_LAST * len(spans)) - size + 1))
    times = 3 + draws.below(4)
    start, end = spans[first][0], spans[first + size - 1][1]
    after = text[end : spans[first + size][0]] if first + size < len(spans) else ""
    if not after and not is_unspaced(text[start]) and not is_unspaced(text[end - 1]):
        after = between("")
    return text[:start] + (text[start:end] + after) * (times - 1) + text[start:end]

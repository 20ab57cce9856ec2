"""Choose a wrong option of a multiple-choice question, and put the options in another order, letters in place, the key along.

Options are read from the question (`anchor`), lettered or numbered, a line each or in one: `(A) red`, `B) blue`, `3. green`; the
answer (`positive`) names one by letter, by text or both. Where the anchor has none, a text that ends in `Answer: B` is read, as in
`ingest pairs --text`.
`--write wrong` (the default): the negative is the answer with another option in its place; the key says that it is wrong. Its columns
`options`, `order` (the old place of each), `answer_index`, `prompt`, `prompt_answer` and `prompt_negative` are those of one order of
the options, another with each negative, the given one first; the negative itself answers the anchor as it stands.
`--write orders`: the negative is the question with its options in another order. That asks the same: such rows are labelled
`positive`, and serve to find a model that answers by the letter.
Refused, by reason: `no-answer` (it names no option, or several), `duplicate-options`, `overlap` (one option is part of the right one,
or has it), `all-or-none` (`none of the above`, `both A and C`), `several` (`select all`), `too-long`. Cue words are
English, with the commonest of some other languages; options are read in any.
Paper: McIlroy-Young et al., Set-Based Prompting, 2024; Zheng et al., Large Language Models Are Not Robust Multiple Choice Selectors, 2024.
Source: IBM/unitxt#1726 (variants of one text that are all the same).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple

import polars as pl
from pydantic import Field

from negforge.contract import Chosen, Declares, Refusal
from negforge.errors import InputError
from negforge.records import Pairs, free_name
from negforge.rng import Rng
from negforge.text import normalised

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    label="negative",
    opposition="contradiction",
    evidence=("edit",),
    verifiers=("equivalent", "known-positive"),
    bar=0.95,
)
SAME = "verdict_reordered"  # of no verifier: that the same is asked needs no proof
_LONGEST = 50_000
_LONGEST_ANSWER = 500
_MOST = 26
_SCHEMA: dict[str, Any] = {
    "id": pl.String,
    "negative": pl.String,
    "options": pl.List(pl.String),
    "order": pl.List(pl.Int64),
    "answer_index": pl.Int64,
    "prompt": pl.String,
    "prompt_answer": pl.String,
    "prompt_negative": pl.String,
}
# Each way to mark an option; of a letter or number that a word follows. A bare `A.` or `1.` counts at the head of a line alone.
_MARKS = (
    re.compile(r"\(([A-Za-z]|[0-9]{1,2})\)[ \t]*(?=\S)"),
    re.compile(r"(?<![\w(])([A-Za-z]|[0-9]{1,2})\)[ \t]*(?=\S)"),
    re.compile(r"(?m)^[ \t]*([A-Za-z]|[0-9]{1,2})[.:][ \t]+(?=\S)"),
    re.compile(r"(?<![\w.])([A-Z])[.:] (?=\S)"),
)
_ANSWER_LINE = re.compile(r"(?:\n|[ \t])\s*(?:the )?(?:correct |right )?answer(?: is)?:?[ \t]+(\S[^\n]*?)\s*$", re.IGNORECASE)
_SAID = re.compile(
    r"\s*(?:the )?(?:(?:correct|right) )?(?:(?:answer|option|choice)(?: is)?[: ]\s*)?(\()?"
    r"([A-Za-z]|[0-9]{1,2})(?(1)\))(?![\w'\u2019])[.):]?\s*",
    re.IGNORECASE,
)
_ALL_OR_NONE = re.compile(
    r"\b(?:all|none|both|neither|either|any|some|two|more than one) of (?:the|these|those|them)\b|\b(?:above|below|aforementioned)\b"
    r"|\b(?:both|neither|either|only)? ?\(?[A-H]\)? (?:and|or|nor|&) \(?[A-H]\)?(?:\W|$)|^\W*(?:all|none|both|neither)\W*$"
    r"|\b(?:options?|answers?|choices?) \(?[A-H1-9]\b"
    # The same in some other languages.
    r"|\b(?:keine|alle|beide|ingen|begge|inget|aucune?|toutes?|tous|ninguna|todas|todos|nessuna|tutte|geen) (?:der|av|des|de|delle|van)\b",
    re.IGNORECASE,
)
_SEVERAL = re.compile(
    r"\b(?:select|choose|check|mark|tick) (?:all|any|two|three|every)\b|\ball that apply\b|\bwhich (?:two|three)\b", re.IGNORECASE
)
_TAIL = re.compile(r"(?:[\s,;]|\s(?:and|or))+$")


class _Option(NamedTuple):
    """An option in its text: its mark, and where its own words begin and end."""

    mark: str
    start: int
    end: int


class _Question(NamedTuple):
    """A question with its options, where the answer to it stands, and which of the options that names."""

    text: str
    options: list[_Option]
    answer: str
    right: int

    def words(self) -> list[str]:
        """What each option says."""
        return [self.text[one.start : one.end] for one in self.options]


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    write: Annotated[
        Literal["wrong", "orders"],
        Field(description="What the negative is: a wrong option as the answer (`wrong`), or the question with its options reordered."),
    ] = "wrong",
    num_negatives: int = 1,
    language: str = "en",
) -> Chosen:
    """Wrong options of each question, or its orders; or why none.

    batch: n rows of `id`, `anchor`, `positive`. Up to `num_negatives` rows each, no option and no order twice. A row without options
    is passed over. Raises InputError where a column of the answer's is in the way.
    """
    schema = _SCHEMA if write == "wrong" else {**_SCHEMA, SAME: pl.String}
    if taken := next((name for name in schema if name not in ("id", "negative") and name in batch.frame.columns), None):
        mend = f"pass --rename {taken}={free_name(taken)}"
        raise InputError(f"column '{taken}' is in the way", "what is found out about the options is written there", mend)
    rows: list[tuple[Any, ...]] = []
    refusals: list[Refusal] = []
    for row_id, anchor, positive in zip(batch["id"], batch["anchor"], batch["positive"], strict=True):
        found = _read(anchor or "", positive or "", language)
        if isinstance(found, str):
            if found:
                refusals.append(Refusal(row_id, found))
            continue
        rows += _rows(row_id, found, rng, write, num_negatives)
    return Chosen(pl.DataFrame(rows, schema=schema, orient="row"), refusals)


def _rows(row_id: str, question: _Question, rng: Rng, write: str, count: int) -> Iterator[tuple[Any, ...]]:
    size = len(question.options)
    wrong = rng.shuffled(row_id, [place for place in range(size) if place != question.right])
    orders = _orders(size, iter(rng.stream(row_id)))
    whole = question.text == question.answer  # one text, the answer at its end
    if write == "orders":
        for order, _ in zip(orders, range(count), strict=False):
            said = _reordered(question, order)
            yield row_id, said, *_told(question, order, None), "positive"
        return
    for other, order, _ in zip(wrong, orders, range(count), strict=False):
        told = _told(question, order, other)
        negative = _answered(question, list(range(size)), other, question.text if whole else question.answer)
        yield row_id, negative, *told


def _told(question: _Question, order: list[int], other: int | None) -> tuple[Any, ...]:
    """The columns of one order: options, order, place of the right one, prompt, the right answer to it, a wrong one."""
    words, prompt = question.words(), _reordered(question, order)
    texts = [words[place] for place in order]
    right = _answered(question, order, question.right, question.answer, prompt)
    wrong = None if other is None else _answered(question, order, other, question.answer, prompt)
    return texts, order, order.index(question.right), prompt, right, wrong


def _orders(size: int, bits: Iterator[int]) -> Iterator[list[int]]:
    """The given order, then others drawn at random, none twice, until there is no other."""
    order = list(range(size))
    seen = {tuple(order)}
    yield list(order)
    most = math.factorial(size) if size < 9 else 1 << 16
    while len(seen) < most:
        for last in range(size - 1, 0, -1):
            other = next(bits) % (last + 1)
            order[last], order[other] = order[other], order[last]
        if tuple(order) not in seen:
            seen.add(tuple(order))
            yield list(order)


def _reordered(question: _Question, order: list[int]) -> str:
    """The question with the words of its options in this order; marks and what stands between stay."""
    words, text = question.words(), question.text
    for one, place in reversed([*zip(question.options, order, strict=True)]):
        text = text[: one.start] + words[place] + text[one.end :]
    if question.text == question.answer:
        text = _answered(question, order, question.right, text)
    return text


def _answered(question: _Question, order: list[int], option: int, answer: str, prompt: str = "") -> str:
    """The answer with another option named in it, by its mark in this order, its words, or both."""
    if question.text == question.answer:
        answer = prompt or answer
        line = _ANSWER_LINE.search(answer, _near_the_end(answer))
        if line is None:
            raise RuntimeError("the answer's line was there when the options were read")
        return answer[: line.start(1)] + _named(question, order, option, line[1]) + answer[line.end(1) :]
    return _named(question, order, option, answer)


def _near_the_end(text: str) -> int:
    """From where an answer's line is looked for."""
    return max(0, len(text) - _LONGEST_ANSWER)


def _named(question: _Question, order: list[int], option: int, answer: str) -> str:
    marks = [one.mark for one in question.options]
    words = question.words()
    said = _SAID.match(answer)
    place = _letter(answer, marks)
    if said is not None and place is not None:
        mark = marks[order.index(option)]
        mark = mark.lower() if said[2].islower() else mark.upper()
        rest = answer[said.end() :]
        return answer[: said.start(2)] + mark + answer[said.end(2) : said.end()] + (_put(words[option], rest) if rest.strip() else rest)
    return _put(words[option], answer)


def _put(words: str, old: str) -> str:
    """An option's words in an answer's place, which keeps its own blanks and its own full stop, or none."""
    kept = old.rstrip()
    stop = "." if kept.endswith(".") else ""
    return words.rstrip(".") + stop + old[len(kept) :] if stop or not words.endswith(".") else words.rstrip(".") + old[len(kept) :]


def _letter(answer: str, marks: list[str]) -> int | None:
    """The place of the option that an answer names by its letter or number, if it does."""
    said = _SAID.match(answer)
    if said is None or said[2].upper() not in (upper := [mark.upper() for mark in marks]):
        return None
    return upper.index(said[2].upper())


def _read(anchor: str, positive: str, language: str) -> _Question | str:
    """The question, or why it is refused; nothing where there are no options."""
    if max(len(anchor), len(positive)) > _LONGEST:
        return "too-long" if _MARKS[0].search(anchor[:_LONGEST]) else ""
    text, answer, options = anchor, positive, _options(anchor)
    if anchor == positive or not options:
        line = _ANSWER_LINE.search(positive, _near_the_end(positive))
        if line is None:
            return ""
        text, answer, options = positive, line[1], _options(positive[: line.start()])
    if not options:
        return ""
    words = [text[one.start : one.end] for one in options]
    if _SEVERAL.search(text):
        return "several"
    if any(_ALL_OR_NONE.search(one) for one in words):
        return "all-or-none"
    same = _same([*words, answer], language)
    if len({*same[:-1]}) < len(options):
        return "duplicate-options"
    right = _right(answer, same, [one.mark for one in options], language)
    if right is None:
        return "no-answer"
    if any(place != right and _within(one, same[right]) for place, one in enumerate(same[:-1])):
        return "overlap"
    return _Question(text, options, positive, right)


def _right(answer: str, same: list[str], marks: list[str], language: str) -> int | None:
    """Which option an answer names: by its words, or by its letter, with the same words or none."""
    if same[-1] in same[:-1]:
        return same.index(same[-1])
    place = _letter(answer, marks)
    said = _SAID.match(answer)
    if place is None or said is None:
        return None
    rest = answer[said.end() :]
    if not rest.strip():
        return place
    return place if _same([rest], language)[0] == same[place] else None


def _same(texts: list[str], language: str) -> list[str]:
    """The texts in the form in which what is the same is equal, numbers by their value."""
    plain = [re.sub(r"(?<=\d),(?=\d{3})", "", one.rstrip(".")) for one in normalised(pl.Series(texts), language=language).to_list()]
    return [str(Fraction(one)) if re.fullmatch(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?", one) else one for one in plain]


def _within(one: str, other: str) -> bool:
    """Whether the words of one option are among the other's, in a row."""
    left, right = (" ".join(["", *re.findall(r"[^\W_]+", text), ""]) for text in (one, other))
    return bool(left.strip() and right.strip()) and (left in right or right in left)


def _options(text: str) -> list[_Option]:
    """The last run of marks A, B, C or 1, 2, 3 of one kind, with what each marks."""
    best: list[_Option] = []
    for pattern in _MARKS:
        runs: list[list[re.Match[str]]] = []
        for mark in pattern.finditer(text):
            if mark[1].upper() in ("A", "1"):
                runs.append([mark])
            elif runs and _follows(runs[-1][-1][1], mark[1]):
                runs[-1].append(mark)
        run = next((run for run in reversed(runs) if 2 <= len(run) <= _MOST), [])
        options = _spans(text, run)
        if options and (not best or len(options) > len(best)):
            best = options
    return best


def _follows(one: str, other: str) -> bool:
    if one.isdigit() or other.isdigit():
        return one.isdigit() and other.isdigit() and int(other) == int(one) + 1
    return ord(other) == ord(one) + 1


def _spans(text: str, run: list[re.Match[str]]) -> list[_Option]:
    """What each mark of a run marks: up to the next one, the last up to the end of its line; none where one is empty."""
    found = []
    for place, mark in enumerate(run):
        if place + 1 < len(run):
            end = run[place + 1].start()
        else:
            stop = text.find("\n", mark.end())
            end = len(text) if stop < 0 else stop
        words = text[mark.end() : end]
        tail = _TAIL.search(words) if place + 1 < len(run) else None
        words = words[: tail.start()] if tail is not None else words.rstrip()
        if not words.strip():
            return []
        found.append(_Option(mark[1], mark.end(), mark.end() + len(words)))
    return found

"""Cut a sentence into phrases and put them in another order, or say a fact from its other end.

What a reordered text is good for is the user's to say, never inferred: `--role` is required.
- `degenerate`: a wrong text for models of fluency and word order (label `negative`, opposition `degenerate`). An order that English
  allows is none: phrases of place and time are free to move, and so are conjuncts and the two ends of `is`; an order counts only
  where it begins with a phrase that cannot begin a sentence, and two are torn from what they hang on.
- `positive`: the same knowledge in another order, for training that should not hang on it (label `positive`); any order will do.
- `backward`: `Paris is the capital of France.` as `The capital of France is Paris.`, `X wrote Y.` as `Y was written by X.` (label
  `positive`), with `query`, `completion`, `query_backward`, `completion_backward`.
Columns `chunks` (slices whose concatenation is the source), `order` (`reversed` or `permuted`; the original is the positive) and
`permutation` (the old place of each). The phrases move; white space, commas and the last mark stay where they are. The rules of
phrases are English. Refused, by reason: `few-chunks`, `sentences` (several), `question`, `quoted`, `symmetric` (two phrases around a
verb that reads both ways), `free-order` (every order tried says the same), `no-fact`, `too-long`.
Paper: Lv et al., An Analysis and Mitigation of the Reversal Curse, 2024 (BICO); Guo et al., Mitigating Reversal Curse in Large Language
Models via Semantic-aware Permutation Training, 2024 (SPT, with a model's chunks instead of rules); Yuksekgonul et al., ARO, 2023.
Source: GEM-benchmark/NL-Augmenter#222 (is the label kept or flipped?).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple

import polars as pl
from pydantic import Field

from negforge.contract import Chosen, Declares, Refusal
from negforge.errors import InputError
from negforge.records import Pairs, free_name
from negforge.rng import Rng

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    languages=("en",),
    label="negative",
    opposition="degenerate",
    evidence=("edit",),
    verifiers=("equivalent", "known-positive"),
    bar=0.95,
)
VERDICT = "verdict_role"  # of no verifier: what the user says these texts are
_LONGEST = 600
_LEAST = 4  # phrases; of fewer too many orders can be read
_MOST = 24
_TRIES = 32
_SCHEMA: dict[str, Any] = {
    "id": pl.String,
    "negative": pl.String,
    "chunks": pl.List(pl.String),
    "order": pl.String,
    "permutation": pl.List(pl.Int64),
}
_QUERIES = ("query", "completion", "query_backward", "completion_backward")


def _words(listed: str) -> str:
    return "|".join(listed.split())


_AUXILIARIES = "is are was were has have had will would can could may might must shall should does did do cannot"
_VERBS = _words(
    _AUXILIARIES
    + """ won wrote became made took gave found ran held kept led left lost met sold told went came began built bought brought caught
    drew fell felt fought flew grew knew lay lies made makes means needs paid put read rose said sang sat saw says sent set shot shows
    spent spoke stood taught thought won wears wore works gets got goes takes gives has contains consists includes include becomes
    remains remained plays played lives lived died founded joined invented discovered created received moved started ended opened
    closed helped turned called named signed served stars starred married won sits sitting walks looks looking stands eats uses used
    costs needs wants sells buys earns earned eats bakes gave"""
)
_MOVABLE = _words(
    """in on at by for from with into onto over under after before during between through against near without within above below
    behind beside across along around inside outside until since throughout toward towards upon among because when while although
    though as if"""
)
_HANGING = _words("of that which who whom whose than and or but nor to not")
# A phrase begins before these, or after a mark.
_STARTS = re.compile(rf"(?<=\s)(?:(?P<verb>{_VERBS})|(?P<movable>{_MOVABLE})|(?P<hanging>{_HANGING}))(?=[\s,])")
_NO_OPENER = re.compile(r"(?:of|which|whose|than|and|or|but|nor)\b", re.IGNORECASE)
_MARK = re.compile(r"[,;:]\s+|\s+[\u2013\u2014-]\s+")
_SYMMETRIC = re.compile(
    rf"^(?:{_words('is are was were met married equals equalled resembles resembled borders bordered became')})$", re.IGNORECASE
)
_END = re.compile(r"[\s.!\u2026]*\Z")
_NAME_END = re.compile(r"[\s,;:]*\Z")
_SEVERAL = re.compile(r"[.!?;]\s+\S|\n\s*\S")
_FACT = re.compile(
    r"(?P<left>(?:[A-Z][\w.'\u2019-]*)(?: (?:of|the|de|van|von|[A-Z][\w.'\u2019-]*))*) (?P<verb>is|was)"
    r" (?P<right>the [a-z][^,;:()]*?)\.?\s*\Z"
)
# A definite description of one thing; `the first to` and `the best` may, `the son of two` may not be of one alone.
_DEFINITE = re.compile(
    r"^the (?:(?:first|last|largest|smallest|longest|highest|tallest|deepest|oldest|youngest|capital|current|official|only|main"
    r"|northernmost|southernmost) )*(?:capital|city|country|river|mountain|lake|island|planet|author|inventor|founder|president|king|queen"
    r"|director|composer|discoverer|currency|language|ocean|desert|state|continent|captain|leader|creator|designer|architect|name|birthplace"
    r"|person|man|woman|president)(?: \w+)? (?:of|in|to|on|from) \S"
)
_PASSIVE = {
    "wrote": "written",
    "painted": "painted",
    "invented": "invented",
    "discovered": "discovered",
    "directed": "directed",
    "composed": "composed",
    "founded": "founded",
    "designed": "designed",
    "created": "created",
}
_ACTIVE = re.compile(
    rf"(?P<left>[A-Z][\w.'\u2019-]*(?: (?:de|van|von|[A-Z][\w.'\u2019-]*))*) (?P<verb>{'|'.join(_PASSIVE)})"
    r" (?P<right>['\"\u2018\u201c][^'\"\u2019\u201d]+['\"\u2019\u201d]"
    r"|(?:the )?[A-Z][\w'\u2019-]*(?: (?:of|the|and|[A-Z][\w'\u2019-]*))*)\.?\s*\Z"
)


class _Chunk(NamedTuple):
    """A phrase: where it begins and ends without the marks after it, where the next one begins, and what kind it is.

    kind: `verb`, `movable` (place, time, a clause that may stand first), `hanging` (on what stands before it), or `plain`.
    """

    start: int
    end: int
    stop: int
    kind: str


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    role: Annotated[
        Literal["degenerate", "positive", "backward"],
        Field(description="What the reordered text is: a degenerate one, the same knowledge again, or the fact from its other end."),
    ],
    reversed_share: Annotated[
        float, Field(ge=0, le=1, description="Share of the rows whose first order is the reversed one; others begin with a random one.")
    ] = 0.5,
    protect: Annotated[str, Field(description="Keep matches of this regular expression in one phrase.")] = r"(?!)",
    num_negatives: int = 1,
) -> Chosen:
    """Other orders of each `positive`, or why none.

    batch: n rows of `id`, `positive`. Up to `num_negatives` rows each, no order twice. Raises InputError where a column of the
    answer's is in the way.
    """
    schema = dict(_SCHEMA)
    if role == "backward":
        schema |= dict.fromkeys(_QUERIES, pl.String)
    if role != "degenerate":
        schema[VERDICT] = pl.String
    if taken := next((name for name in schema if name not in ("id", "negative") and name in batch.frame.columns), None):
        mend = f"pass --rename {taken}={free_name(taken)}"
        raise InputError(f"column '{taken}' is in the way", "what becomes of the phrases is written there", mend)
    protected = re.compile(protect)
    rows: list[tuple[Any, ...]] = []
    refusals: list[Refusal] = []
    for row_id, text in zip(batch["id"], batch["positive"], strict=True):
        if reason := _unfit(text or ""):
            refusals.append(Refusal(row_id, reason))
            continue
        if role == "backward":
            fact = _backward(text)
            if fact is None:
                refusals.append(Refusal(row_id, "no-fact"))
            else:
                rows.append((row_id, *fact, "positive"))
            continue
        chunks = _chunks(text, [match.span() for match in protected.finditer(text)])
        if len(chunks) < _LEAST:
            refusals.append(Refusal(row_id, "symmetric" if _reads_both_ways(text, chunks) else "few-chunks"))
            continue
        more = () if role == "degenerate" else ("positive",)
        orders = [*islice(_orders(text, chunks, iter(rng.stream(row_id)), reversed_share, free=role == "positive"), num_negatives)]
        slices = [text[one.start if place else 0 : one.stop] for place, one in enumerate(chunks)]
        for order in orders:
            named = "reversed" if order == sorted(order, reverse=True) else "permuted"
            rows.append((row_id, _joined(text, chunks, order), slices, named, order, *more))
        if not orders:
            refusals.append(Refusal(row_id, "free-order"))
    return Chosen(pl.DataFrame(rows, schema=schema, orient="row"), refusals)


def _unfit(text: str) -> str:
    """Why a text is not to be cut, or nothing."""
    if len(text) > _LONGEST:
        return "too-long"
    if re.search(r"[?\u061f\uff1f]", text):
        return "question"
    bare = re.sub(r"\b(?:Mr|Mrs|Ms|Dr|St|Jr|vs|No|U\.S|[A-Z])\.", "", text.strip())
    if _SEVERAL.search(bare):
        return "sentences"
    return "quoted" if len(re.findall(r"[\"\u201c\u201d]", text)) % 2 else ""


def _chunks(text: str, protected: list[tuple[int, int]]) -> list[_Chunk]:
    """The phrases of a sentence, from its first letter to its end."""
    quoted = [match.span() for match in re.finditer(r"\"[^\"]*\"|\u201c[^\u201d]*\u201d|\([^)]*\)", text)]
    closed = [*protected, *quoted]
    cuts: dict[int, str] = {}
    for mark in _MARK.finditer(text):
        cuts[mark.end()] = ""
    for word in _STARTS.finditer(text):
        cuts[word.start()] = word.lastgroup or ""
    cuts = {place: kind for place, kind in cuts.items() if not any(a < place < b for a, b in closed)}
    first = len(text) - len(text.lstrip())
    ended = _END.search(text)
    last = ended.start() if ended is not None else len(text)
    opening = re.match(rf"(?:{_MOVABLE})(?=\s)", text[first:], re.IGNORECASE)
    cuts = {first: "movable" if opening else "plain", **{place: kind for place, kind in cuts.items() if first < place < last}}
    places = sorted(cuts)
    found: list[_Chunk] = []
    for place, start in enumerate(places):
        stop = places[place + 1] if place + 1 < len(places) else len(text)
        end = min(last, stop)
        inner = text[start:end]
        tail = _NAME_END.search(inner)
        end = start + (tail.start() if tail is not None else len(inner))
        kind = cuts[start] or _kind_of(inner)
        found.append(_Chunk(start, end, stop, kind))
    # An auxiliary and the verb after it are one, and so are a preposition and another: `is in`, `from within`.
    return _grown(text, found) if len(found) <= _MOST else []


def _kind_of(inner: str) -> str:
    """The kind of a phrase that a mark begins, by its first word."""
    start = _STARTS.match(" " + inner + " ", 1)
    return (start.lastgroup or "plain") if start is not None else "plain"


def _grown(text: str, chunks: list[_Chunk]) -> list[_Chunk]:
    """The phrases with those of one small word joined to the next, so that none is a mere preposition."""
    found: list[_Chunk] = []
    for chunk in chunks:
        bare = found and " " not in text[found[-1].start : found[-1].end].strip()
        small = found and (
            found[-1].kind in ("movable", "hanging")
            or (found[-1].kind == "verb" and (chunk.kind == "verb" or text[chunk.start : chunk.end].lower().startswith("not ")))
        )
        if bare and small and text[found[-1].end : chunk.start].isspace():
            found[-1] = found[-1]._replace(end=chunk.end, stop=chunk.stop)
        else:
            found.append(chunk)
    return found


def _reads_both_ways(text: str, chunks: list[_Chunk]) -> bool:
    """Whether two or three phrases stand around a verb that says the same of either: `Ann met Bo`, `Paris is the capital`."""
    verbs = [text[one.start : one.end].split(maxsplit=1)[0] for one in chunks if one.kind == "verb" and one.end > one.start]
    return 2 <= len(chunks) <= 3 and any(_SYMMETRIC.match(verb) for verb in verbs)


def _orders(text: str, chunks: list[_Chunk], bits: Iterator[int], share: float, *, free: bool) -> Iterator[list[int]]:
    """Orders other than the given one that do not say the same, in turn; any, if `free`."""
    size = len(chunks)
    given = list(range(size))
    seen = {tuple(given)}
    most = math.factorial(size) if size < 9 else 1 << 16
    order = given[::-1]
    if (next(bits) >> 11) / (1 << 53) >= share:
        order = _shuffled(given, bits)
    for _ in range(_TRIES):
        if tuple(order) not in seen:
            seen.add(tuple(order))
            if (free or _breaks(text, chunks, order)) and _joined(text, chunks, order) != text:
                yield order
        if len(seen) >= most:
            return
        order = _shuffled(given, bits)


def _shuffled(given: list[int], bits: Iterator[int]) -> list[int]:
    order = list(given)
    for last in range(len(order) - 1, 0, -1):
        other = next(bits) % (last + 1)
        order[last], order[other] = order[other], order[last]
    return order


def _breaks(text: str, chunks: list[_Chunk], order: list[int]) -> bool:
    """Whether an order is none that English allows.

    A phrase that cannot begin a sentence must begin it, and two that hang on what stood before them, that one among them, have lost
    it: `within the layer are found lamins` is English, and `is a cat on the mat` asks.
    """
    torn = [
        place
        for before, place in zip([-1, *order], order, strict=False)
        if chunks[place].kind in ("verb", "hanging") and before != place - 1
    ]
    first = chunks[order[0]].kind == "verb" or _NO_OPENER.match(text, chunks[order[0]].start) is not None
    return first and len(torn) > 1


def _joined(text: str, chunks: list[_Chunk], order: list[int]) -> str:
    """The phrases in this order, with what stood between the places between them still."""
    said = text[: chunks[0].start]
    for place, one in zip(order, chunks, strict=True):
        said += text[chunks[place].start : chunks[place].end] + text[one.end : one.stop]
    return said


def _backward(text: str) -> tuple[Any, ...] | None:
    """A fact from its other end: its text, chunks, order, permutation, and a query and completion each way."""
    fact = _FACT.match(text.strip())
    if fact is not None and _DEFINITE.match(fact["right"]) and not re.search(r"\b(?:and|or|not|who|that|which)\b", fact["right"]):
        left, verb, right = fact["left"], fact["verb"], fact["right"]
        back = f"T{right[1:]} {verb}"
        forth, completion = f"{left} {verb}", left
    else:
        fact = _ACTIVE.match(text.strip())
        if fact is None:
            return None
        left, verb, right = fact["left"], fact["verb"], fact["right"]
        if re.match(r"the .*[^s]s$", right):  # was, or were
            return None
        back = f"{right[:1].upper()}{right[1:]} was {_PASSIVE[verb]} by"
        forth, completion = f"{left} {verb}", left
    first = len(text) - len(text.lstrip())
    places = [first + fact.start("left"), first + fact.start("verb"), first + fact.start("right"), len(text)]
    slices = [text[one:other] for one, other in zip([0, *places[1:3]], places[1:], strict=True)]
    stop = "." if text.rstrip().endswith(".") else ""
    return f"{back} {completion}{stop}", slices, "reversed", [2, 1, 0], forth, right, back, completion

"""Damage words of a text by a share of them: shuffled, repeated, blanked, mistyped, misread or misheard.

What is damaged so mostly says the same: it is `noisy`, and no contradiction. Its label is `unknown`, and it is no negative until
something proves it one (`--keep-labels unknown` writes such rows into a dataset). Numbers, names (any capital, and `of the`
between two), negations, words that bound a number (`less`) or stand for one (`x`), and what `--protect` matches are left alone,
since damage there may change the meaning. `--no-spare` damages all but the last too, and counts them in `noise_protected`.

- `shuffle`: words change places; `repetition`: words stand twice; `blank`: words are replaced by `--mark`;
- `typo`: a letter left out, doubled or put after its neighbour; `keyboard`: the key beside it; `ocr`: letters that look alike;
  `homophone`: English words that sound alike; `mixed`: a typo, a repetition or a blank at each word.

A level is the share of a text's words that are damaged, one at least (two by a shuffle); at 0 nothing is. What is damaged at a
level is damaged at each higher one too. Columns: `noise_type`, `noise_level`, `noise_words` (how many were damaged),
`noise_protected`. Refused: `protected` (every word that could be damaged is), `no-word` (none is long enough, or none has a
twin), `unchanged` (the level is 0, or equal words changed places). Words of fewer than six letters are not mistyped: no
dictionary is asked, and too many of them would become others.
Paper: Liu et al., Don't Take It Literally: An Edit-Invariant Sequence Loss for Text Generation, arXiv:2106.15078 (shuffle,
repetition, blank by level). Source: makcedward/nlpaug#143 and #296 (words spliced by their places, and protected).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple

import polars as pl
from pydantic import AfterValidator, Field

from negforge.contract import Chosen, Declares, Refusal
from negforge.pieces import Draws, between, clusters, is_unspaced, refuse_taken, spliced, words
from negforge.records import Pairs
from negforge.rng import Rng
from negforge.sounds import SOUNDS

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    label="unknown",
    opposition="noisy",
    evidence=("noise",),
    verifiers=("equivalent", "known-positive"),
    bar=0.95,
)
Kind = Literal["shuffle", "repetition", "blank", "typo", "keyboard", "ocr", "homophone", "mixed"]
Change = tuple[int, int, str]
Damage = tuple[int, Change]  # of the word at that place


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


def _by_word(listed: str) -> dict[str, str]:
    """What stands at odd places by what stands before it."""
    parts = listed.split()
    return dict(zip(parts[::2], parts[1::2], strict=True))


_COLUMNS: dict[str, Any] = {
    "id": pl.String,
    "negative": pl.String,
    "noise_type": pl.String,
    "noise_level": pl.Float64,
    "noise_words": pl.Int64,
    "noise_protected": pl.Int64,
}
_ROUNDS = 8  # other sites for the same kind and level
_LEAST = 6  # letters of a word that is mistyped or misread; of those with four one in fifteen became another
_NEGATIONS = _words("""
    not no never none nobody nothing nowhere neither nor without cannot hardly barely scarcely seldom rarely lack lacks lacked
    nicht kein keine keinen nie ne pas non sans no nunca sin nada non mai senza ikke ingen aldri inte aldrig niet geen nooit
    не нет без никогда nie nem nu لا ليس لم לא אין""")
_NUMBERS = _words("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half quarter third dozen
    once twice thrice double triple first second fourth fifth both pair""")
_BOUNDS = _words("more less fewer greater most least all every each only before after above below over under if unless except but per")
_PARTICLES = _words("of the and with in on at for to a an de la le les des du von van der den di da del og y e et und")
_NEGATED = re.compile(r"(?:un|in|im|ir|il|dis|non)\w{4,}|\w{2,}less(?:ly)?|\w+n['\u2019]t")
_SIGNS = frozenset("一二三四五六七八九十百千万億亿兩两零〇半不没沒無无未非别勿ぬず")
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_ALIKE = _by_word(
    """rn m m rn cl d d cl l 1 o 0 w vv vv w li h ii u u ii e c nn rm g 9 s 5 ti li ri n fi h b 6 z 2 q g
    \u043e 0 \u0437 3 \u0448 \u0449 \u044c \u044a \u043d \u043f \u0438 \u043d \u03bf 0 \u03bd v \u03c9 w
    \u05d4 \u05d7 \u05d5 \u05df \u05d3 \u05e8 末 未 土 士 日 曰 ソ ン ン ソ シ ツ ツ シ 己 已 人 入 大 太 口 ロ ク ワ め ぬ
    ね れ る ろ は ほ 王 玉 白 自 目 日 牛 午"""
)
_LOOKS = re.compile("|".join(sorted(map(re.escape, _ALIKE), key=len, reverse=True)))


def _neighbours() -> dict[str, str]:
    """The keys that touch each key of an English keyboard."""
    places = {key: (line, place + line / 2) for line, keys in enumerate(_KEYS) for place, key in enumerate(keys)}
    return {
        key: "".join(other for other, (row, at) in places.items() if other != key and abs(row - line) <= 1 and abs(at - place) <= 1)
        for key, (line, place) in places.items()
    }


_TOUCHING = _neighbours()


def _some(kinds: list[Kind]) -> list[Kind]:
    """The kinds, if there is one and none twice; else ValueError."""
    if not kinds or len({*kinds}) < len(kinds):
        raise ValueError("names each kind once, and one at least")
    return kinds


def _levels(levels: list[float]) -> list[float]:
    """The levels, if there is one and none twice; else ValueError."""
    if not levels or len({*levels}) < len(levels):
        raise ValueError("names each level once, and one at least")
    return levels


class Word(NamedTuple):
    """A word at its place. spared: it is a number, a name or a negation, or protected by the caller."""

    start: int
    end: int
    text: str
    spared: bool


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave words alone that overlap a match of this regular expression.")] = r"(?!)",
    kind: Annotated[
        list[Kind], Field(description="A kind of noise; each row takes them in an order of its own. Repeatable."), AfterValidator(_some)
    ] = [  # noqa: B006
        "typo",
        "keyboard",
        "ocr",
        "repetition",
        "blank",
        "shuffle",
    ],
    level: Annotated[
        list[Annotated[float, Field(ge=0, le=1)]],
        Field(description="Share of the words that are damaged; several make a graded series. Repeatable."),
        AfterValidator(_levels),
    ] = [0.15],  # noqa: B006
    spare: Annotated[bool, Field(description="Leave numbers, names and negations alone.")] = True,
    mark: Annotated[str, Field(min_length=1, description="What stands for a blanked word.")] = "___",
    num_negatives: int = 1,
    language: str = "en",
) -> Chosen:
    """Damage each `positive`, or say why not.

    batch: n rows of `id`, `positive`. A row's candidates are distinct: every level of one kind, then of the next, then other words.
    """
    refuse_taken(batch, [*_COLUMNS][2:], "perturb.noise")
    protected = None if protect == r"(?!)" else re.compile(protect)
    rows: list[tuple[str, str, str, float, int, int]] = []
    refusals: list[Refusal] = []
    for row_id, text in zip(batch["id"].to_list(), batch["positive"].to_list(), strict=True):
        found = _found(text, protected, spare=spare)
        seen = {text}
        for row in _damaged(row_id, text, found, rng, kind, level, mark, language):
            if row[1] not in seen:
                seen.add(row[1])
                rows.append(row)
            if len(seen) > num_negatives:
                break
        if len(seen) == 1:
            refusals.append(_refusal(row_id, text, found, kind, language))
    return Chosen(pl.DataFrame(rows, schema=_COLUMNS, orient="row"), refusals)


def _found(text: str, protected: re.Pattern[str] | None, *, spare: bool) -> list[Word]:
    """The words of a text, and which are left alone."""
    spans = [match.span() for match in protected.finditer(text)] if protected else []
    found, at = [], 0
    for start, end in words(text):
        while at < len(spans) and spans[at][1] <= start:
            at += 1
        hit = at < len(spans) and spans[at][0] < end
        found.append(Word(start, end, text[start:end], hit or (spare and matters(text[start:end]))))
    return _with_particles(found) if spare else found


def _with_particles(found: list[Word]) -> list[Word]:
    """The words, with one or two small ones between two capitals spared: `Gone with the Wind`, `Palace of Versailles`."""
    capitals = [place for place, word in enumerate(found) if word.text[:1].isupper()]
    for one, two in pairwise(capitals):
        if 1 < two - one < 4 and all(word.text in _PARTICLES for word in found[one + 1 : two]):
            found[one + 1 : two] = [word._replace(spared=True) for word in found[one + 1 : two]]
    return found


@lru_cache(maxsize=1 << 16)
def matters(word: str) -> bool:
    """Whether damage to a word may change what is said: a number, a name, a negation or what bounds a number."""
    lower = word.casefold()
    return (
        lower != word
        or any(one.isnumeric() or one in _SIGNS for one in word)
        or lower in _NEGATIONS
        or lower in _BOUNDS
        or (len(lower) == 1 and lower.isascii() and lower != "a")  # an operator or a variable: `3 x 4`
        or not _NUMBERS.isdisjoint(lower.split("-"))
        or _NEGATED.fullmatch(lower) is not None
    )


def _damaged(
    row_id: str, text: str, found: list[Word], rng: Rng, kinds: Sequence[Kind], levels: Sequence[float], mark: str, language: str
) -> Iterator[tuple[str, str, str, float, int, int]]:
    """Rows of a text, in order of preference. They may repeat."""
    order = [kinds[place] for place in Draws(rng, row_id, "kinds").shuffled(range(len(kinds)))]
    for turn in range(_ROUNDS):
        for kind in order:
            sites = [place for place, word in enumerate(found) if not word.spared and fits(kind, found, place, language)]
            if not sites:
                continue
            most = max(wanted(level, found, kind) for level in levels)
            changes = changed(kind, found, sites, Draws(rng, row_id, kind, turn), most, mark)
            for level in levels:
                some = changes(wanted(level, found, kind))
                touched = sum(matters(found[place].text) for place, _ in some)
                yield row_id, spliced(text, [change for _, change in some]), kind, level, len(some), touched
        if len(found) < 2:
            break


def wanted(level: float, found: Sequence[Word], kind: Kind) -> int:
    """How many of the words a level damages."""
    least = 2 if kind == "shuffle" else 1
    return max(least, int(level * len(found) + 0.5)) if level > 0 else 0


def fits(kind: Kind, found: Sequence[Word], place: int, language: str) -> bool:
    """Whether a word can be damaged that way."""
    word = found[place].text
    if kind in ("shuffle", "repetition", "blank"):
        return True
    if kind == "homophone":
        return language == "en" and word in SOUNDS
    if is_unspaced(word):
        return (kind == "ocr" and word in _ALIKE) or (kind in ("typo", "mixed") and _adjoins(found, place))
    if len(word) < _LEAST:
        return kind == "mixed"
    if kind == "keyboard":
        return any(one in _TOUCHING for one in word[1:-1])
    return kind != "ocr" or _LOOKS.search(word) is not None


def _adjoins(found: Sequence[Word], place: int) -> bool:
    """Whether another character of a script without blanks comes next, that is no other's number or negation."""
    word, after = found[place], found[place + 1] if place + 1 < len(found) else None
    return after is not None and after.start == word.end and not after.spared and after.text != word.text and is_unspaced(after.text)


def changed(kind: Kind, found: Sequence[Word], sites: Sequence[int], draws: Draws, most: int, mark: str) -> Callable[[int], list[Damage]]:
    """The damage of a kind, as a function of how many words are damaged; that of fewer words is part of that of more."""
    order = draws.shuffled(sites)
    if kind == "shuffle":
        return lambda size: _moved(found, order[:size])
    made: list[Damage] = []
    taken: set[int] = set()
    for place in order:
        if len(made) == most:
            break
        change = _change(kind, found, place, draws, mark)
        if change is None:
            continue
        touched = {place, place + 1} if change[1] > found[place].end else {place}
        if taken.isdisjoint(touched):
            taken |= touched
            made.append((place, change))
    return lambda size: made[:size]


def _moved(found: Sequence[Word], places: Sequence[int]) -> list[Damage]:
    """Each word at the place of the next one."""
    taken = [*places[1:], *places[:1]] if len(places) > 1 else []
    return [(to, (found[to].start, found[to].end, found[place].text)) for place, to in zip(places, taken, strict=False)]


def _change(kind: Kind, found: Sequence[Word], place: int, draws: Draws, mark: str) -> Change | None:
    """One word damaged, or None where what comes out is the word itself."""
    word = found[place]
    start, end, text, _ = word
    if kind == "mixed":
        able = len(text) >= _LEAST or _adjoins(found, place)
        kinds: tuple[Kind, ...] = ("repetition", "blank", "typo") if able else ("repetition", "blank")
        kind = kinds[draws.below(len(kinds))]
    if kind == "repetition":
        return end, end, between(text) + text
    if kind == "blank":
        return start, end, mark
    if kind == "homophone":
        return start, end, SOUNDS[text]
    if is_unspaced(text) and kind == "typo":
        after = found[place + 1]
        return ((start, after.end, after.text + text), (start, end, ""), (end, end, text))[draws.below(3)]
    letters = clusters(text)
    new = {"typo": _mistyped, "keyboard": _beside, "ocr": _misread}[kind](letters, draws)
    return (start, end, new) if new != text else None


def _mistyped(letters: list[str], draws: Draws) -> str:
    """A letter after the first left out, doubled or put after its neighbour."""
    way, at = draws.below(3), 1 + draws.below(max(1, len(letters) - 2))
    if len(letters) < 3:
        return "".join(letters)
    one, two = letters[at : at + 2]
    new = ((), (one, one), (two, one))[way]
    return "".join([*letters[:at], *new, *letters[at + (2 if way == 2 else 1) :]])


def _beside(letters: list[str], draws: Draws) -> str:
    """A letter between the first and the last replaced by one whose key touches its own."""
    places = [place for place, letter in enumerate(letters[:-1]) if place and letter in _TOUCHING]
    at = draws.below(len(places) or 1)
    if not places:
        return "".join(letters)
    keys = _TOUCHING[letters[places[at]]]
    return "".join([*letters[: places[at]], keys[draws.below(len(keys))], *letters[places[at] + 1 :]])


def _misread(letters: list[str], draws: Draws) -> str:
    """One letter or two that look like others replaced by these."""
    text = "".join(letters)
    found = [*_LOOKS.finditer(text)]
    one = found[draws.below(len(found) or 1)] if found else None
    return text if one is None else text[: one.start()] + _ALIKE[one[0]] + text[one.end() :]


def _refusal(row_id: str, text: str, found: list[Word], kinds: Sequence[Kind], language: str) -> Refusal:
    """Why a text gives nothing."""
    able = [place for place in range(len(found)) if any(fits(kind, found, place, language) for kind in kinds)]
    if not able:
        return Refusal(row_id, "no-word", text[:40])
    if all(found[place].spared for place in able):
        return Refusal(row_id, "protected", found[able[0]].text)
    return Refusal(row_id, "unchanged", text[:40])

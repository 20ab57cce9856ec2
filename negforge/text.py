"""Say when two texts are the same text: one definition, used by every part that compares, hashes or dedupes.

Two texts are the same when `normalised` gives both the same string. What only dresses a text is folded (case, width,
quotes, white space, sentence punctuation, spelt-out numbers); what can change its truth is kept (signs, operators,
comparisons, decimal marks, symbols, exponents), since merging `-5` with `5` would let a false negative pass as new.
"""

import re
from collections.abc import Callable, Container
from itertools import islice

import polars as pl

from negforge.repeats import in_runs

LANGUAGES_WITH_NUMBER_WORDS = ("en",)

_BELOW_TWENTY = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = {
    word: 10 * tens for tens, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2)
}
_SMALL = {word: value for value, word in enumerate(_BELOW_TWENTY)} | _TENS
_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_ORDINAL_UNITS = frozenset(["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"])
_ORDINALS = _ORDINAL_UNITS | frozenset(
    [
        "tenth",
        "eleventh",
        "twelfth",
        "thirteenth",
        "fourteenth",
        "fifteenth",
        "sixteenth",
        "seventeenth",
        "eighteenth",
        "nineteenth",
        "twentieth",
        "thirtieth",
        "fortieth",
        "fiftieth",
        "sixtieth",
        "seventieth",
        "eightieth",
        "ninetieth",
    ]
)
_ORDINAL_SCALES = frozenset(f"{scale}th" for scale in _SCALES)

# Removed from every text, so one of them can mark number phrases further down.
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_MARK = "\u200b"
_SPELLINGS = {
    **dict.fromkeys(_INVISIBLE, ""),
    **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f", '"'),
    # The true minus sign, and the two hyphens that are not hyphen-minus: `twenty\u2011one` is `twenty-one`.
    **dict.fromkeys("\u2212\u2010\u2011", "-"),
    # What NFKC makes of them as well; being common, they would send many a text there for nothing else.
    "\u2026": "...",
    "\u00a0": " ",
}
# Chinese and Japanese have no blanks between words: what counts words takes each character for one.
CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_RAISED = "\u2070\u00b9\u00b2\u00b3\u2074-\u2079"
_LOWERED = "\u2080-\u2089"
# Fractions, circled digits and the like: every numeral that NFKC would run into the digits beside it.
_COMPOUND = rf"[\p{{No}}--[{_RAISED}{_LOWERED}]]"
_NUMERALS = (
    (rf"[\u207a\u207b]?[{_RAISED}]+", "^$0"),
    (rf"([{_RAISED}{_LOWERED}])([\p{{Nd}}{_COMPOUND}])", "$1 $2"),
    (rf"([\p{{Nd}}{_RAISED}{_COMPOUND}])([{_LOWERED}])", "${1}_$2"),
    (rf"(\p{{Nd}})({_COMPOUND})", "$1 $2"),
    # Twice, for a numeral between two others is consumed by the first match.
    (rf"({_COMPOUND})([\p{{Nd}}{_COMPOUND}])", "$1 $2"),
    (rf"({_COMPOUND})([\p{{Nd}}{_COMPOUND}])", "$1 $2"),
)

# Any character but those of common scripts that NFKC leaves as they are, whatever stands beside them. NFKC costs more
# than all the rest together, and most texts beyond ASCII hold an accent, a curly quote or a dash, no more.
_UNSETTLED = (
    r"[^\x00-\x7f\u00a1-\u00a7\u00ab\u00b0\u00b1\u00bb\u00bf\u2013\u2014\u20ac"
    r"\u00c0-\u012f\u0131\u0134-\u013e\u0141-\u0148\u014a-\u017e"  # Latin
    r"\u038e-\u03ce\u0400-\u0482\u048a-\u052f"  # Greek and Cyrillic
    r"\u0621-\u063a\u0641-\u064a"  # Arabic
    r"\u3001\u3002\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff\uac00-\ud7a3]"  # Japanese, Chinese, Korean
)

_PUNCTUATION = r""".,;:!?"'()\[\]\u00ab\u00bb\u2013\u2014"""
# A single space is by far the commonest white space: only what differs from it is rewritten.
_WHITE_SPACE = r"\s{2,}|[\s--[ ]]"
_LETTER = r"\p{L}\p{M}*"
_BETWEEN_LETTERS = rf"({_LETTER})(?:-| *[{_PUNCTUATION}][{_PUNCTUATION} ]*)(\p{{L}})"
_BEFORE_FIRST_LETTER = rf"^[{_PUNCTUATION} ]+(\p{{L}})"
_AFTER_LAST = rf"({_LETTER})[{_PUNCTUATION} ]+$|(\p{{N}})[.,;:? ]+$"
_MARKS = ".,;:!?\"'()[]\u00ab\u00bb\u2013\u2014 "  # those of _PUNCTUATION, and the space
# As _BETWEEN_LETTERS, where every character of a word is a letter. Without groups it takes half the time, and one pass.
_BETWEEN_WORDS = r"""(?-u:\b)(?:-| *[.,;:!?"'()\[\]][.,;:!?"'()\[\] ]*)(?-u:\b)"""
_NO_LETTERS = r"[^\x00-\x2f\x3a-\x5e\x60-\x7f]"  # what makes a word of ASCII letters something else: digits, underscores, other scripts
# What is neither such a letter or mark nor a space: most texts have none of it, and one look spares them two.
_NOT_PLAIN = r"[^ -/:-^`-~]"

# ASCII word boundaries: the Unicode ones fall back to a slow engine in Rust, and Python checks the edges anyway.
_EDGE = r"(?-u:\b)"
_SCALE_WORD = rf"(?:{'|'.join(_SCALES)}){_EDGE}"
_NUMBER_WORD = rf"{_EDGE}(?:{'|'.join((*_SMALL, *_SCALES))}){_EDGE}"
_ORDINAL_WORD = rf"(?:{'|'.join(sorted(_ORDINALS | _ORDINAL_SCALES))}){_EDGE}"
_DIGITS_WITH_SCALE = rf"[0-9.,]*[0-9] {_SCALE_WORD}"
# A mark between two number words ends a number: `forty, five` is not `45`. A hyphen does not, nor the dash that stands for one.
# Before a scale word nothing ends, for `two, hundred` would be `2 hundred` once, and `200` when normalised again.
_ENDING = r""".,;:!?"'()\[\]\u00ab\u00bb\u2014"""
_MAY_END = rf"(?:{'|'.join((*_SMALL, *_SCALES))})(?:[ -]and)?[{_PUNCTUATION} ]*[{_ENDING}]"
_ENDED = (
    rf"((?:{'|'.join((*_SMALL, *_SCALES))}){_EDGE}(?:[ -]and)?[{_PUNCTUATION} ]*[{_ENDING}][{_PUNCTUATION} ]*)"
    rf"((?:and[ -])?(?:{'|'.join((*_SMALL, *sorted(_ORDINALS)))}){_EDGE})"
)
# Where digits have a comma, words may: `two million, five hundred thousand`.
_THOUSANDS = "|".join(scale for scale in _SCALES if scale != "hundred")
_GROUPED = rf"((?:{_THOUSANDS}){_EDGE}), ?((?:(?:{'|'.join(_SMALL)})[ -]){{1,2}}{_SCALE_WORD})"
_APART = "X"  # put before what begins a number after such a mark; texts are lower-case by then, so that nothing else is one
_PHRASE = (
    rf"(?:{_DIGITS_WITH_SCALE}|{_NUMBER_WORD})"
    rf"(?: (?:and )?(?:{_DIGITS_WITH_SCALE}|{_NUMBER_WORD}|{_ORDINAL_WORD}))*"
)
_WRITTEN_NUMBER = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]+)?")
# What may touch a number word and leave it a word of its own. No full stop or comma before it: in `3.five million`
# it would read as a decimal mark once the word is digits.
_MAY_PRECEDE = "([\"'\u00ab\u2013\u2014<>=\u2264\u2265\u2248~\u00b1+-$\u20ac\u00a3\u00a5"
_MAY_FOLLOW = ")]\"'\u00bb\u2013\u2014<>=+-%.,;:!?"


def normalised(texts: pl.Series, *, language: str = "en") -> pl.Series:
    """Return each text in the form that all spellings of the same text share.

    texts: n strings. Returns n strings under the same name; null stays null, and normalising twice is normalising
    once. `language` "code" only collapses white space, for there case and every mark have meaning. In any other
    language, zero-width characters go, compatibility forms become plain (NFKC), letters lower-case and curly quotes
    straight; punctuation and hyphens between letters become one space and at the ends of the text vanish. Punctuation
    that touches a digit stays, except a closing mark after the last digit, and so does every sign, operator and
    symbol. Number words become digits in the languages of `LANGUAGES_WITH_NUMBER_WORDS`, one number where only blanks,
    hyphens or `and` part them (and the comma of thousands, as in `two million, five hundred thousand`); ordinals stay.
    Raises polars' own error for a column that is not of strings.
    """
    if texts.dtype == pl.Null:
        texts = texts.cast(pl.String)
    if (runs := in_runs(texts)) is not None:
        return normalised(runs.cells, language=language).gather(runs.of_row)
    if language == "code":
        return _spaced(texts)
    beyond_ascii = texts.str.len_bytes() != texts.str.len_chars()
    texts = _changed(texts, beyond_ascii, _folded).str.to_lowercase()
    odd = texts.str.contains(_NOT_PLAIN)
    texts = _changed(texts, odd | texts.str.contains("  ", literal=True), _spaced).str.strip_chars()
    numbers = texts.str.contains(_NUMBER_WORD) if language in LANGUAGES_WITH_NUMBER_WORDS else None
    if numbers is not None:
        texts = _changed(texts, numbers, _ended)
    mixed = odd.scatter(odd.arg_true(), texts.filter(odd).str.contains(_NO_LETTERS))
    texts = _changed(texts, ~mixed, lambda some: some.str.replace_all(_BETWEEN_WORDS, " "))
    texts = _changed(texts, mixed, _between)
    opened = texts.str.contains(_BEFORE_FIRST_LETTER)
    texts = _closed(_changed(texts, opened, lambda some: some.str.replace(_BEFORE_FIRST_LETTER, "$1")))
    return texts if numbers is None else _changed(texts, numbers, _numbered)


def is_plain(texts: pl.Series, *, language: str = "en") -> pl.Series:
    """Say in which texts `normalised` changes case, blanks and sentence punctuation, and nothing else. None of `language` "code" is."""
    plain = (texts.str.len_bytes() == texts.str.len_chars()) & (language != "code")
    if language not in LANGUAGES_WITH_NUMBER_WORDS:
        return plain
    return plain & ~texts.str.to_lowercase().str.contains(_NUMBER_WORD)


def _changed(texts: pl.Series, rows: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Return the texts with `change` applied where `rows` is true, and to no other row."""
    where = rows.arg_true()
    if where.is_empty():
        return texts
    if len(where) == len(texts):
        return change(texts)
    # A copy, since scatter writes in place and the caller's column must stay.
    return texts.clone().scatter(where, change(texts.gather(where)))


def _between(texts: pl.Series) -> pl.Series:
    """Return the texts with one space for a hyphen, or for punctuation and its blanks, between two letters."""
    texts = texts.str.replace_all(_BETWEEN_LETTERS, "$1 $2")
    # Again, for in `a.b.c` the first match consumes the `b` that the second needs; no third is ever left. To look is cheaper
    # than to replace, and few texts have it.
    return _changed(texts, texts.str.contains(_BETWEEN_LETTERS), lambda some: some.str.replace_all(_BETWEEN_LETTERS, "$1 $2"))


def _closed(texts: pl.Series) -> pl.Series:
    """Return the texts without sentence punctuation after a last letter or digit."""
    short = texts.str.strip_chars_end(_MARKS)
    last = short.str.tail(1)
    ended = (short != texts) & last.is_between("a", "z")
    other = (short != texts) & ~ended
    closed = texts if not ended.any() else pl.select(pl.when(ended).then(short).otherwise(texts)).to_series().alias(texts.name)
    return _changed(closed, other, lambda some: some.str.replace(_AFTER_LAST, "$1$2"))


def _spaced(texts: pl.Series) -> pl.Series:
    """Return the texts with every run of Unicode white space as one space, and none at the ends."""
    return texts.str.replace_all(_WHITE_SPACE, " ").str.strip_chars()


def _folded(texts: pl.Series) -> pl.Series:
    """Return texts beyond ASCII in plain spelling and NFKC; those that NFKC can change also lower-cased."""
    texts = texts.str.replace_many(_SPELLINGS)
    return _changed(texts, texts.str.contains(_UNSETTLED), _composed)


def _composed(texts: pl.Series) -> pl.Series:
    """Return the texts lower-cased and in NFKC, with no exponent, fraction or minus sign lost on the way."""
    for numerals, apart in _NUMERALS:
        texts = texts.str.replace_all(numerals, apart)
    # A raised or lowered minus comes out of NFKC as the minus sign, which `_SPELLINGS` could not see.
    texts = texts.str.normalize("NFKC").str.replace_all("\u2212", "-", literal=True).str.to_lowercase()
    # Lower case can compose where upper case could not: H with a line below is two characters, h with one is one.
    return texts.str.normalize("NFKC")


def _ended(texts: pl.Series) -> pl.Series:
    """Return texts that hold number words with `_APART` after each mark between two of them that ends a number."""

    def apart(some: pl.Series) -> pl.Series:
        for _ in range(2):  # what one match consumes may begin the next
            some = some.str.replace_all(_GROUPED, "$1 $2")
        for _ in range(2):
            some = some.str.replace_all(_ENDED, f"${{1}}{_APART}$2")
        return some

    return _changed(texts, texts.str.contains(_MAY_END), apart)


def _numbered(texts: pl.Series) -> pl.Series:
    """Return texts that hold number words with those words as digits."""
    apart = texts.str.contains(_APART, literal=True)
    if apart.any():
        return _changed(_changed(texts, ~apart, _numbered), apart, _numbered_apart)
    marked = texts.str.replace_all(_PHRASE, f"{_MARK}$0{_MARK}").to_list()
    return pl.Series(texts.name, [_joined(text.split(_MARK)) for text in marked], dtype=pl.String)


def _numbered_apart(texts: pl.Series) -> pl.Series:
    """Return texts that hold `_APART` with the number words as digits, no number beyond such a place, and without it."""
    parts = texts.str.split(_APART)
    each = iter(_numbered(parts.explode()).to_list())
    return pl.Series(texts.name, ["".join(islice(each, size)) for size in parts.list.len()], dtype=pl.String)


def _joined(parts: list[str]) -> str:
    """Return one text from its parts, of which every second one is a number phrase and becomes digits."""
    last = len(parts) - 1
    for at in range(1, last, 2):
        before, after = parts[at - 1], parts[at + 1]
        if before and before[-1] != " ":
            before = before.rstrip(_MAY_PRECEDE)
        if after and after[0] != " ":
            after = after.lstrip(_MAY_FOLLOW)
        # Nothing left is the end of the text, or else a neighbouring phrase with no space between.
        opens = before.endswith(" ") or (not before and at == 1)
        closes = after.startswith(" ") or (not after and at + 1 == last)
        parts[at] = _in_digits(parts[at], opens, closes)
    return "".join(parts)


def _in_digits(phrase: str, opens: bool, closes: bool) -> str:
    """Return a phrase of number words with each number as digits.

    opens, closes: whether the first and the last word stand free; one that is part of a longer word, as in `x/two`,
    is no number. A number that runs into an ordinal (`twenty first`) is left alone, as the ordinal is.
    """
    if opens and closes and phrase in _SMALL:
        return str(_SMALL[phrase])
    tokens = phrase.split(" ")
    # An empty token is no number word: it stands for a word that is not free, and for the end.
    words = [*tokens, "", ""]
    if not opens:
        words[0] = ""
    if not closes:
        words[len(tokens) - 1] = ""
    found: list[str] = []
    at = 0
    while at < len(tokens):
        number = _number(words, at)
        if number is None:
            found.append(tokens[at])
            at += 1
            continue
        digits, end, zeros = number
        if _is_ordinal(words, end, zeros):
            found.extend(tokens[at:end])
        else:
            found.append(digits)
        at = end
    return " ".join(found)


def _is_ordinal(words: list[str], end: int, zeros: int) -> bool:
    """Say whether the number before `end` is the first part of an ordinal: `twenty first`, `one hundred and third`."""
    return (
        words[end] in _ORDINAL_SCALES
        or (words[end - 1] in _TENS and words[end] in _ORDINAL_UNITS)
        or (zeros > 0 and words[_past_and(words, end)] in _ORDINALS)
    )


def _past_and(words: list[str], at: int) -> int:
    """Return the place after an `and` at this place, else the place itself."""
    return at + (words[at] == "and")


def _number(words: list[str], at: int) -> tuple[str, int, int] | None:
    """Read the longest number at a place: its digits, where it ends, and how many of its zeros can still be filled.

    Numbers are strings of digits throughout: `1.5 million` stays exact, and no length is too long for `int`.
    """
    number = _group(words, at)
    while number is not None:
        digits, end, zeros = number
        part = _group(words, _past_and(words, end)) if zeros else None
        if part is None or not _fits(digits, zeros, part[0]):
            break
        number = _filled(digits, part[0]), part[1], part[2]
    return number


def _group(words: list[str], at: int) -> tuple[str, int, int] | None:
    """Read one group at a place, as `_number` does: a number below a thousand, with its scale words if any."""
    small = _below_hundred(words, at)
    if small is not None:
        digits, at = small
    elif words[at] and _WRITTEN_NUMBER.fullmatch(words[at]) and words[at + 1] in _SCALES:
        digits, at = words[at].replace(",", ""), at + 1
    else:
        return None
    digits, at, zeros = _scaled(words, at, digits, ("hundred",))
    if zeros:
        rest = _below_hundred(words, _past_and(words, at))
        # In `one hundred two hundred` the `two` opens the next number.
        if rest is not None and words[rest[1]] != "hundred" and _fits(digits, zeros, rest[0]):
            digits, at, zeros = _filled(digits, rest[0]), rest[1], 0
    if words[at] in _SCALES:
        digits, at, zeros = _scaled(words, at, digits, _SCALES)
    return digits, at, zeros


def _scaled(words: list[str], at: int, digits: str, scales: Container[str]) -> tuple[str, int, int]:
    """Multiply a number by the scale words at a place: its digits, where they end, and the zeros of the last one."""
    places = zeros = 0
    while words[at] in scales:
        zeros = _SCALES[words[at]]
        places, at = places + zeros, at + 1
    return _shifted(digits, places), at, zeros


def _below_hundred(words: list[str], at: int) -> tuple[str, int] | None:
    """Read a number word below a hundred at a place, with its unit after a ten: its digits, and where it ends."""
    value = _SMALL.get(words[at])
    if value is None:
        return None
    at += 1
    if value >= 20 and 1 <= (unit := _SMALL.get(words[at], 0)) <= 9:
        value, at = value + unit, at + 1
    return str(value), at


def _shifted(digits: str, places: int) -> str:
    """Return a decimal number multiplied by ten to the power of `places`, with no zero that adds nothing."""
    whole, _, decimals = digits.partition(".")
    whole = (whole + decimals[:places].ljust(places, "0")).lstrip("0") or "0"
    decimals = decimals[places:].rstrip("0")
    return f"{whole}.{decimals}" if decimals else whole


def _fits(digits: str, zeros: int, part: str) -> bool:
    """Say whether a number has `zeros` zeros at its end, and a part above nothing that is short enough to fill them."""
    free = digits != "0" and "." not in digits and digits.endswith("0" * zeros)
    return free and len(part) <= zeros and part != "0"


def _filled(digits: str, part: str) -> str:
    """Return a number with a part in place of as many of its last zeros."""
    return digits[: -len(part)] + part

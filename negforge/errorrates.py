"""Word and character error rates of a text against another, by words cut at their places."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from negforge.pieces import between, words


def cut(text: str, *, folded: bool = True) -> list[str]:
    """The words of a text that are compared."""
    return [text[start:end].casefold() if folded else text[start:end] for start, end in words(text)]


def joined(parts: Sequence[str]) -> str:
    """Words with one blank between two, but none beside a word of a script that has none."""
    found = "".join(f"{word}{between(word)}" for word in parts)
    return found.rstrip(" ")


def errors(right: Sequence[str], wrong: Sequence[str]) -> int:
    """Words to substitute, insert and delete. Words stand for numbers, so that no two share a hash."""
    numbers: dict[str, int] = {}
    one, other = ([numbers.setdefault(word, len(numbers)) for word in text] for text in (right, wrong))
    return Levenshtein.distance(one, other)


def rates(right: str, wrong: str, *, folded: bool = True) -> tuple[float | None, float | None]:
    """The rates of errors in words and in characters, None where there is no word to be wrong."""
    one, other = cut(right, folded=folded), cut(wrong, folded=folded)
    if not one:
        return None, None
    whole = joined(one)
    return errors(one, other) / len(one), Levenshtein.distance(whole, joined(other)) / len(whole)

"""Put a word in the place of another: in its form, its case, and with the article that goes with it.

Forms are lemminflect's table, with regular endings for what it lacks.
Source: marcotcr/checklist#43 (bare verbs), RAIVNLab/sugar-crepe#6 (letter case that gives an edit away).
"""

from __future__ import annotations

import functools
import re

# `an hour`, `an MRI`, `an 8`; `a user`, `a European`, `a one`.
_VOWEL_SOUND = re.compile(r"[aeiouAEIOU]|(?i:hour|honest|honou?r|heir)|[FHLMNRSX](?![a-z])|8|1[18](?!\d)")
_CONSONANT_SOUND = re.compile(r"(?i:eu|ewe|onc?e(?![a-z])|uni(?![mn])|us[aeu]|usi|ut[eio]|ubiq|ufo|uk|uran|urol|ugand|u(?![a-z]))")
_ARTICLE = re.compile(r"(?i)(?<![^\W_])(an?)(\s+)$")


@functools.lru_cache(maxsize=1 << 16)
def inflected(lemma: str, tag: str) -> str | None:
    """A base form in the form of a Penn Treebank tag, such as VBD or NNS; None where there is none: `more careful` is no form."""
    if tag in ("NN", "VB", "VBP", "JJ", "RB"):
        return lemma
    from lemminflect import getInflection

    head, _, last = lemma.rpartition(" ")
    found = getInflection(last, tag, inflect_oov=False)
    made = found[0] if found else _regular(last, tag)
    return f"{head} {made}" if made and head else made


def _regular(lemma: str, tag: str) -> str | None:
    hissing = lemma.endswith(("s", "x", "z", "ch", "sh"))
    after_consonant = lemma.endswith("y") and lemma[-2:-1] not in "aeiou"
    if tag in ("NNS", "VBZ"):
        return lemma + "es" if hissing else lemma[:-1] + "ies" if after_consonant else lemma + "s"
    if tag in ("VBD", "VBN"):
        return lemma + "d" if lemma.endswith("e") else lemma[:-1] + "ied" if after_consonant else lemma + "ed"
    if tag == "VBG":
        return lemma[:-1] + "ing" if lemma.endswith("e") and not lemma.endswith("ee") else lemma + "ing"
    return None


def recased(word: str, like: str) -> str:
    """A word in the letter case of another: small, Capital or ALL CAPITALS. A word with capitals of its own inside keeps them."""
    if like.isupper() and len(like) > 1:
        return word.upper()
    if like[:1].isupper():
        return word[:1].upper() + word[1:]
    return word


def article(word: str) -> str:
    """`a` or `an`, as it is said before a word."""
    return "an" if _VOWEL_SOUND.match(word) and not _CONSONANT_SOUND.match(word) else "a"


def with_article(text: str, start: int, new: str) -> tuple[int, str]:
    """Where an edit that puts `new` at `start` begins, and what it puts there, with an article before it that must change.

    `a | dog` and `owl` give the place of `a` and `an owl`; without an article, or with the right one, both come back as they are.
    """
    found = _ARTICLE.search(text, max(0, start - 8), start)
    if found is None or found[1].lower() == article(new):
        return start, new
    return found.start(1), recased(article(new), found[1] if len(found[1]) > 1 or found[1].islower() else "Aa") + found[2] + new

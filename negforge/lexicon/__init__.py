"""The words of English: senses, opposites, what is above and beside them. An extract of WordNet 3.0 that ships with the package.

WordNet 3.0 Copyright 2006 by Princeton University; see `NOTICE`. Read once a process, in about a second.
Source: goodmami/wn#278, #141 (WordNet offline), GEM-benchmark/NL-Augmenter#222 (an antonym of which sense?).
"""

from __future__ import annotations

import functools
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

Part = Literal["n", "v", "a", "r"]

_HERE = Path(__file__).parent
# WordNet's lexicographer files, in the order of their numbers.
LEXNAMES = (
    *("adj.all", "adj.pert", "adv.all", "noun.Tops", "noun.act", "noun.animal", "noun.artifact", "noun.attribute", "noun.body"),
    *("noun.cognition", "noun.communication", "noun.event", "noun.feeling", "noun.food", "noun.group", "noun.location", "noun.motive"),
    *("noun.object", "noun.person", "noun.phenomenon", "noun.plant", "noun.possession", "noun.process", "noun.quantity"),
    *("noun.relation", "noun.shape", "noun.state", "noun.substance", "noun.time", "verb.body", "verb.change", "verb.cognition"),
    *("verb.communication", "verb.competition", "verb.consumption", "verb.contact", "verb.creation", "verb.emotion", "verb.motion"),
    *("verb.perception", "verb.possession", "verb.social", "verb.stative", "verb.weather", "adj.ppl"),
)
_ENDINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "n": (
        ("ies", "y"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("sses", "ss"),
        ("ses", "s"),
        ("xes", "x"),
        ("zes", "z"),
        ("men", "man"),
        ("s", ""),
    ),
    "v": (("ies", "y"), ("es", "e"), ("es", ""), ("s", ""), ("ied", "y"), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "a": (("iest", "y"), ("ier", "y"), ("est", "e"), ("est", ""), ("er", "e"), ("er", "")),
    "r": (),
}
_DOUBLED = ("ed", "ing", "er", "est")


class Sense(NamedTuple):
    """One sense of a word. rank: from 1, the commonest first. uses: how often it was tagged in text; 0 says nothing."""

    row: int
    word: str
    part: str
    rank: int
    synset: int
    uses: int


class Lexicon:
    """WordNet's words and relations. Words are looked up in any case; a synset is a number."""

    def __init__(self, folder: Path = _HERE) -> None:
        senses, synsets = (pl.read_parquet(folder / f"{name}.parquet") for name in ("senses", "synsets"))
        self._key, self._part, self._word = (senses[name].to_list() for name in ("key", "part", "word"))
        self._rank, self._synset, self._count = (senses[name].to_list() for name in ("rank", "synset", "count"))
        first = (senses["key"] != senses["key"].shift(1)).fill_null(value=True).arg_true()
        starts = [*first.to_list(), senses.height]
        self._rows = dict(zip(senses["key"].gather(first).to_list(), pairwise(starts), strict=True))
        self._lexname, self._above = synsets["lexname"].to_list(), synsets["hypernyms"].to_list()
        self._instance = synsets["instance"].to_list()
        self._opposite: dict[int, list[int]] = defaultdict(list)
        for sense, opposite in pl.read_parquet(folder / "antonyms.parquet").iter_rows():
            self._opposite[sense].append(opposite)
        self._forms: dict[tuple[str, str], list[str]] = defaultdict(list)
        for form, part, base in pl.read_parquet(folder / "forms.parquet").iter_rows():
            self._forms[form, part].append(base)
        order = np.argsort(np.array(self._synset), kind="stable")
        self._by_synset, self._ends = order.tolist(), np.searchsorted(np.array(self._synset)[order], np.arange(synsets.height + 1)).tolist()
        below: dict[int, list[int]] = defaultdict(list)
        for synset, above in enumerate(self._above):
            for one in above:
                below[one].append(synset)
        self._below = dict(below)

    def __contains__(self, word: str) -> bool:
        return word.lower() in self._rows

    def senses(self, word: str, part: Part) -> list[Sense]:
        """The senses of a base form, the commonest first; none where WordNet lacks it."""
        start, end = self._rows.get(word.lower(), (0, 0))
        return sorted((self._sense(row) for row in range(start, end) if self._part[row] == part), key=lambda one: one.rank)

    def _sense(self, row: int) -> Sense:
        word = self._word[row] or self._key[row]
        return Sense(row, word, self._part[row], self._rank[row], self._synset[row], self._count[row])

    def bases(self, word: str, part: Part) -> list[str]:
        """The base forms a word may be of, itself first where it is one: `axes` is of `ax` and `axis`."""
        lower = word.lower()
        found = [lower, *self._forms.get((lower, part), ())]
        if len(found) == 1:
            for ending, base in _ENDINGS[part]:
                if lower.endswith(ending) and len(lower) > len(ending) + 1:
                    stem = lower[: -len(ending)]
                    found.append(stem + base)
                    if not base and ending in _DOUBLED and stem[-1] == stem[-2:-1]:
                        found.append(stem[:-1])
        return [one for one in dict.fromkeys(found) if any(self._part[row] == part for row in range(*self._rows.get(one, (0, 0))))]

    def opposites(self, sense: Sense) -> list[Sense]:
        """The direct antonyms of a sense, those of these very words, not of their synonyms."""
        return [self._sense(row) for row in self._opposite.get(sense.row, ())]

    def words(self, synset: int) -> list[str]:
        """The words of a synset."""
        rows = self._by_synset[self._ends[synset] : self._ends[synset + 1]]
        return [self._word[row] or self._key[row] for row in rows]

    def members(self, synset: int) -> list[Sense]:
        """The words of a synset, as senses."""
        return [self._sense(row) for row in self._by_synset[self._ends[synset] : self._ends[synset + 1]]]

    def lexname(self, synset: int) -> str:
        """The lexicographer's file of a synset, such as `noun.animal`."""
        return LEXNAMES[self._lexname[synset]]

    def above(self, synset: int) -> list[int]:
        """The direct hypernyms, those of instances included."""
        return list(self._above[synset])

    def below(self, synset: int) -> list[int]:
        """The direct hyponyms and instances."""
        return list(self._below.get(synset, ()))

    def is_instance(self, synset: int) -> bool:
        """Whether a synset is one thing, as `Paris` is, not a kind of thing."""
        return bool(self._instance[synset])

    @functools.lru_cache(maxsize=1 << 16)  # noqa: B019 - there is one lexicon a process
    def ancestors(self, synset: int) -> frozenset[int]:
        """All that is above a synset, by any path."""
        found: set[int] = set()
        todo = list(self._above[synset])
        while todo:
            one = todo.pop()
            if one not in found:
                found.add(one)
                todo += self._above[one]
        return frozenset(found)

    def siblings(self, synset: int) -> list[int]:
        """What stands under the same direct hypernym, in the order of the lexicon, without itself."""
        return sorted({one for above in self._above[synset] for one in self._below[above]} - {synset})

    def is_phrase(self, *words: str) -> bool:
        """Whether the words together are an entry of their own, as `hot dog` is."""
        return " ".join(words).lower() in self._rows or "-".join(words).lower() in self._rows


@functools.lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The lexicon, read once a process."""
    return Lexicon()

"""Closed tables of English that several operators look at, and what a sentence must be to be edited: one that asserts something.

Source: Horn, A Natural History of Negation, 1989 (contraries); Levin, English Verb Classes and Alternations, 1993 (reciprocal verbs);
Ladusaw, Polarity Sensitivity, 1979 (downward operators). The lists are our own.
"""

from __future__ import annotations

import re


def _words(listed: str) -> frozenset[str]:
    """The words of a list; an underscore is the space in a phrase."""
    return frozenset(one.replace("_", " ") for one in listed.split())


# What makes a clause negative, affixes apart.
NEGATIONS = _words(
    """not n't no never neither nor none nobody nothing nowhere without hardly barely scarcely rarely seldom cannot lack lacks lacked
    lacking absent fail fails failed unable refuse refuses refused deny denies denied"""
)
# Where a cue is none, or where a change of it changes nothing.
PSEUDO_NEGATIONS = _words(
    """not_only not_just not_merely not_simply not_to_mention not_until not_necessarily not_even no_longer_than no_more_than no_less_than
    no_fewer_than no_later_than no_sooner no_matter no_doubt no_wonder no_one_but nothing_but none_but none_other why_not if_not or_not
    whether_or_not cannot_help can't_help never_mind as_not if_nothing_else not_least last_but_not_least not_all_that nothing_more_than
    nothing_less_than nothing_short_of all_but anything_but if_no more_often_than_not"""
)
# What stands well under a negation alone, and turns wrong without it.
POLARITY_ITEMS = _words("any anyone anybody anything anywhere ever yet either at_all anymore any_more whatsoever much_of in_years until")
# What turns entailment round in what stands beside it: `few dogs` says something of few animals' kinds, not of all.
DOWNWARD = NEGATIONS | _words(
    """few little every each all any only if unless whether before without than too doubt doubts doubted forbid forbids forbidden ban bans
    banned prevent prevents prevented avoid avoids avoided less fewer least fewest at_most"""
)
MODALS = _words("can could may might shall should will would must ought need dare")
AUXILIARIES = MODALS | _words("be am is are was were been being have has had having do does did")
FINITE_BE = _words("am is are was were")
QUANTIFIERS = _words(
    """all every each some many most several few any no both half much more less various numerous countless always often usually
    sometimes never generally typically mostly frequently occasionally rarely commonly normally mainly largely"""
)
FOCUS = _words("only even just also too merely simply still already almost nearly")
HEDGES = _words("maybe perhaps possibly probably likely seemingly apparently allegedly reportedly supposedly")
# What opens a clause that is not asserted by itself.
OPENERS = _words(
    """if unless whether because while who which that when whenever where wherever although though since until till before after once as
    whose whom why how what so than lest provided suppose supposing"""
)
CONDITIONALS = _words("if unless whether suppose supposing assuming assume imagine provided wish wishes wished otherwise would could might")
# Prepositions of which the second is false of the same two things at the same time.
OPPOSITE_PREPOSITIONS = {
    "on": "under", "under": "on", "above": "below", "below": "above", "over": "under", "beneath": "on", "underneath": "on", "atop": "under",
    "on top of": "under", "inside": "outside", "outside": "inside", "in front of": "behind", "behind": "in front of", "before": "after",
    "after": "before", "into": "out of", "out of": "into", "onto": "off", "off": "onto", "up": "down", "down": "up",
    "to the left of": "to the right of", "to the right of": "to the left of", "left of": "right of", "right of": "left of",
    "with": "without", "without": "with", "inside of": "outside of", "outside of": "inside of", "north of": "south of",
    "south of": "north of", "east of": "west of", "west of": "east of", "upstairs": "downstairs", "downstairs": "upstairs",
}  # fmt: skip
# Relations that hold both ways: `A is next to B` is `B is next to A`.
SYMMETRIC_PREPOSITIONS = _words(
    "next_to beside near with and alongside by close_to adjacent_to between among together_with opposite against along_with around"
)
SYMMETRIC_VERBS = _words(
    """meet marry border equal resemble tie match differ coincide intersect touch adjoin neighbor neighbour cross join merge mix combine
    collaborate cooperate compete agree disagree argue debate converse correspond chat talk speak communicate divorce date hug kiss embrace
    fight battle clash collide share unite pair link connect relate correlate overlap balance rhyme play dance wrestle face rival flank
    accompany interact alternate contrast compare confer negotiate quarrel separate split part partner"""
)
SYMMETRIC_WORDS = _words(
    """same similar equal equivalent different identical sibling siblings brother brothers sister sisters cousin cousins twin twins friend
    friends neighbor neighbors neighbour neighbours partner partners colleague colleagues spouse spouses married related together between
    both each_other one_another mutual mutually jointly respectively contemporary contemporaries rival rivals synonym synonyms"""
)
_QUESTION_WORDS = _words(
    "who whom whose which what when where why how is are was were do does did can could will would should has have had"
)
_NAMES_A_QUOTE = re.compile(r"[\"\u201c\u201d\u00ab\u00bb]")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_REPORTED = re.compile(
    r"(?i)\b(?:said|says|say|claim(?:s|ed)?|believe[sd]?|think(?:s)?|thought|suggest(?:s|ed)?|report(?:s|ed)?|argue[sd]?|alleg(?:es|ed)"
    r"|hope[sd]?|wish(?:es|ed)?|pretend(?:s|ed)?|imagine[sd]?|supposed|according to|rumou?red)\b"
)


def lowered(text: str) -> list[str]:
    """The words of a text in lower case, `n't` as part of its verb."""
    return [word.lower().replace("\u2019", "'") for word in _WORD.findall(text)]


def unasserted(sentence: str) -> str:
    """Why a sentence does not assert what it says, or nothing: `question`, `exclamation`, `conditional`, `reported`, `quoted`, `short`."""
    bare = sentence.strip()
    words = lowered(bare)
    if bare.rstrip("\"')]\u201d\u2019 ").endswith(("?", "\uff1f", "\u061f")) or (words and words[0] in _QUESTION_WORDS and "?" in bare):
        return "question"
    if len(words) < 3:
        return "short"
    if bare.endswith("!"):
        return "exclamation"
    if not CONDITIONALS.isdisjoint(words):
        return "conditional"
    if _NAMES_A_QUOTE.search(bare):
        return "quoted"
    return "reported" if _REPORTED.search(bare) else ""


def negated(sentence: str) -> bool:
    """Whether a cue of negation stands anywhere in a sentence."""
    return any(word in NEGATIONS or word.endswith("n't") for word in lowered(sentence))

"""Deny an object that a caption names: `There is no dog in the picture`.

NeIn denies what is absent, so that its sentences are true of the picture and false of one to which the object was added. A negative
has to be false of its own source, so here an object that the caption names is denied, by one of thirteen sentences; to affirm one that
it does not name would prove nothing, since captions name a part of what they show. The same sentence about an object that is absent
goes along as `hard_positive`, to be used as a true text: otherwise a model learns that sentences which deny are wrong. `denied` and
`absent` name the two. Absent is what stands, as itself, a synonym, a sibling, a kind of it or what it is a kind of, in none of the
captions of the anchor, nor of the row's `image`, nor in its annotations; null where nothing is. What captions seldom name, such as a
window, is never called absent. Objects are common visible things; `--objects` names a list of one's own.
Refused: `question`, `exclamation`, `conditional`, `reported`, `quoted`, `short`, `negated`; `depicted` (a statue or a picture of a dog);
`no-object`, with `compound` (`dog food`), `possessive` (`the dog's bowl`), `sought` (`waiting for a bus`), `alternative` (`a dog or a
cat`) and `protected` where a name is there that does not say the object is.
Paper: Bui et al., NeIn: Telling What You Don't Want, arXiv:2409.06481 (its filters are models'; these are the captions' and the lexicon's).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field

from negforge import clauses, tagging
from negforge.clauses import Word
from negforge.contract import Chosen, Declares, Refusal
from negforge.errors import InputError
from negforge.grammar import lowered, negated, unasserted
from negforge.records import Batches, Pairs
from negforge.rng import Rng
from negforge.words import article, inflected


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    tags=True,
    languages=("en",),
    label="negative",
    opposition="contradiction",
    evidence=("denies-named",),
    verifiers=("equivalent", "known-positive"),
    candidates=r"[A-Za-z]",
    bar=0.95,
)

# Each with the object in the singular and in the plural; {a} stands for `a` or `an` and the object.
TEMPLATES = (
    ("There is no {x} in the picture.", "There are no {x} in the picture."),
    ("The picture has no {x} in it.", "The picture has no {x} in it."),
    ("The picture does not show {a}.", "The picture does not show any {x}."),
    ("No {x} can be seen in the picture.", "No {x} can be seen in the picture."),
    ("The picture lacks {a}.", "The picture lacks {x}."),
    ("The picture does not contain {a}.", "The picture does not contain any {x}."),
    ("The scene is without {a}.", "The scene is without any {x}."),
    ("No {x} is visible in the picture.", "No {x} are visible in the picture."),
    ("No {x} is present in the scene.", "No {x} are present in the scene."),
    ("There is not a single {x} in the scene.", "There are not any {x} in the scene."),
    ("Nowhere in the picture is there {a}.", "Nowhere in the picture are there any {x}."),
    ("You cannot see {a} in the picture.", "You cannot see any {x} in the picture."),
    ("The picture was taken with no {x} in view.", "The picture was taken with no {x} in view."),
)
_LISTED = """
    airplane apple backpack ball balloon banana basket bathtub beach bear bed bench bicycle bird blanket boat book bottle bowl boy
    bridge bucket building bus cabinet cake camera candle car carrot carriage castle cat chair child clock cloud computer couch cow
    cup curtain desk dog donut door dress duck elephant fence fire_hydrant fireplace flag flower fork fountain frisbee garden
    giraffe girl glove goat guitar hat helicopter helmet horse house jacket kangaroo keyboard kitchen kite knife ladder lake lamp
    laptop lion man microwave mirror monkey motorcycle mountain mouse oven parrot pen penguin piano pig pillow pizza plate
    potted_plant rabbit refrigerator river road rope sandwich scarf scissors sheep ship shirt shoe sink skateboard ski snowboard
    sofa spoon stop_sign stove suitcase surfboard swimming_pool table teddy_bear telephone television tennis_racket tent tie tiger
    toaster toilet tomato tower towel tractor traffic_light train tree truck umbrella vase violin waterfall whale wheelchair window
    wine_glass woman zebra"""
OBJECTS = tuple(one.replace("_", " ") for one in _LISTED.split())
# What pictures hold and captions do not name: never called absent.
_EVERYWHERE = _words(
    """window door shirt shoe man woman boy girl child cloud tree building road house hat jacket flower fence chair table cup bottle
    car book plate mountain curtain cabinet bench glove helmet pen towel pillow blanket lamp"""
)
_PLURAL_ONLY = {"scissors": "scissors", "sheep": "sheep"}
_DEPICTED = _words(
    """picture pictures photo photos photograph photographs painting paintings drawing drawings statue statues sculpture sculptures toy
    toys stuffed fake cartoon cartoons poster posters logo logos printed print prints image images mural murals costume costumes
    shaped illustration screen figurine figurines doll dolls dummy mannequin carved carving painted replica model graphic graffiti
    sign signs reflection reflected shadow shadows resembling imaginary pretend pretending plastic plush ornament decorated
    advertisement ad missing empty invisible gone hidden former drawn themed decal sticker stickers emblem sketch ceramic wooden
    miniature"""
)
# `waiting for a bus`, `looks like a cat`: what follows need not be there.
_SEEKING = _words("for like as about to toward towards from into without resembling than not off")
_MODIFIERS = frozenset(("DT", "JJ", "JJR", "JJS", "CD", "PRP$", "VBN", "VBG", "RB", "NN", "NNS", "NNP"))


_BATCH = 1 << 16


@dataclass(frozen=True)
class State:
    """The objects; what their names, related words and plurals stand for; and what stands in the captions of anchors with several.

    forms: of a word or phrase, the object's number. near: of a word, the objects it is related to, one bit each. shared: of an anchor or an
    image with several captions, the bits of all.
    """

    objects: tuple[str, ...]
    forms: dict[str, int]
    near: dict[str, int]
    shared: dict[str, int]


def prepare(
    whole: Batches,
    *,
    objects: Annotated[
        Path | None,
        Field(description="Objects of your own, one a line in the singular, in place of the common ones.", examples=["objects.txt"]),
    ] = None,
) -> State:
    """Look up what is related to each object, and which of them the captions of each anchor and image name.

    Raises InputError where the file of objects cannot be read, or names none.
    """
    names = OBJECTS if objects is None else _named(objects)
    forms, near = _forms(names), _near(names)
    counted: dict[str, int] = {}
    for frame in whole(_BATCH):
        for keys in _keys(frame):
            counted.update({key: counted.get(key, 0) + number for key, number in keys.drop_nulls().value_counts().iter_rows()})
    several = {key for key, number in counted.items() if number > 1}
    del counted
    shared = dict.fromkeys(several, 0)
    for frame in whole(_BATCH) if several else ():
        for keys in _keys(frame):
            for key, text in zip(keys.to_list(), frame["positive"].to_list(), strict=True):
                if key in several:
                    shared[key] |= _bits(text, near)
    return State(names, forms, near, shared)


def _keys(frame: pl.DataFrame) -> list[pl.Series]:
    """The anchor of each row, and the image where there is one: rows with an equal one are about the same picture."""
    found = [frame.select(pl.format("a{}", "anchor_id")).to_series().rename("key")]
    return [*found, frame.select(pl.format("i{}", "image")).to_series().rename("key")] if "image" in frame.columns else found


def _named(file: Path) -> tuple[str, ...]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}", str(error), "name a text file of one object a line") from error
    found = tuple(dict.fromkeys(" ".join(line.lower().split()) for line in lines if line.strip()))
    if not found:
        raise InputError(f"{file} names no object", "it has no line with a word", "write one object a line, in the singular")
    return found


def plural(name: str) -> str:
    """An object's name for several of it."""
    return _PLURAL_ONLY.get(name) or inflected(name, "NNS") or name


def _forms(names: Sequence[str]) -> dict[str, int]:
    found = {form: at for at, name in enumerate(names) for form in (name, plural(name))}
    return found | {"bike": found["bicycle"], "bikes": found["bicycle"]} if "bicycle" in found else found


@functools.lru_cache(maxsize=4)
def _near(names: tuple[str, ...]) -> dict[str, int]:
    """Of each word, the objects that it is a name of, a kind of, what they are a kind of, or beside what; by any sense of either."""
    from negforge.lexicon import lexicon

    words = lexicon()
    found: dict[str, int] = {}
    for at, name in enumerate(names):
        around = {name, plural(name), *name.split()}
        for sense in words.senses(name, "n"):
            kinds, todo = {sense.synset}, [sense.synset]
            while todo:
                below = [one for one in words.below(todo.pop()) if one not in kinds]
                kinds.update(below)
                todo += below
            kinds |= words.ancestors(sense.synset) | {*words.siblings(sense.synset)}
            around |= {word.lower() for one in kinds for word in words.words(one)}
        for word in around:
            found[word] = found.get(word, 0) | 1 << at
    return found


def _bits(text: str | None, near: dict[str, int]) -> int:
    """The objects that the words of a text are related to."""
    words = lowered(text or "")
    found = 0
    for at, word in enumerate(words):
        for form in (*_bases(word), f"{words[at - 1]} {word}" if at else word):
            found |= near.get(form, 0)
    return found


@functools.lru_cache(maxsize=1 << 16)
def _bases(word: str) -> tuple[str, ...]:
    from negforge.lexicon import lexicon

    return (word, *lexicon().bases(word, "n"))


def generate(
    batch: Pairs,
    state: State,
    rng: Rng,
    *,
    annotations: Annotated[
        str, Field(description="A column that lists what else the picture holds: a list of names, or text with commas.")
    ] = "",
    protect: Annotated[str, Field(description="Leave objects alone whose name in the caption overlaps a match of this.")] = r"(?!)",
    num_negatives: int = 1,
) -> Chosen:
    """Sentences that deny an object of the caption, with a true one beside each.

    batch: n rows of `id`, `anchor_id`, `positive`, `positive_tags`. Returns rows (id, negative, denied, absent, hard_positive), every
    object of a caption before a second sentence about any. Raises InputError where the column of annotations is not there.
    """
    if annotations and annotations not in batch:
        raise InputError(
            f"column {annotations!r} is not in the input", f"it has {', '.join(batch.frame.columns)}", "name one by --annotations"
        )
    protected = None if protect == r"(?!)" else re.compile(protect)
    noted = batch[annotations].to_list() if annotations else [None] * len(batch)
    images = batch["image"].to_list() if "image" in batch else [None] * len(batch)
    made: list[tuple[str, str, str, str | None, str | None]] = []
    refusals: list[Refusal] = []
    rows = zip(
        batch["id"].to_list(), batch["anchor_id"].to_list(), images, batch["positive"].to_list(), noted, tagging.tokens(batch), strict=True
    )
    for row_id, anchor, image, text, notes, tokens in rows:
        found, reason = _objects(text, tokens, state, protected)
        if not found:
            refusals.append(Refusal(row_id, reason, text[:200]))
            continue
        there = _bits(text, state.near) | state.shared.get(f"a{anchor}", 0) | state.shared.get(f"i{image}", 0)
        for note in _noted(notes):
            there |= _bits(note, state.near)
        absent = rng.shuffled(
            f"{row_id}\x00", [at for at, name in enumerate(state.objects) if not there >> at & 1 and name not in _EVERYWHERE]
        )
        templates = rng.shuffled(f"{row_id}\x01", range(len(TEMPLATES)))
        denied = rng.shuffled(row_id, found)
        for turn in range(min(num_negatives, len(denied) * len(templates))):
            at, many = denied[turn % len(denied)]
            template = TEMPLATES[templates[(turn % len(denied) + turn // len(denied)) % len(templates)]]
            other = state.objects[absent[turn % len(absent)]] if absent else None
            name = state.objects[at]
            told = None if other is None else sentence(template, other, many=other in _PLURAL_ONLY or many)
            made.append((row_id, sentence(template, name, many=many), name, other, told))
    schema = dict.fromkeys(("id", "negative", "denied", "absent", "hard_positive"), pl.String)
    frame = pl.DataFrame(made, schema=schema, orient="row")
    return Chosen(frame.unique(["id", "negative"], keep="first", maintain_order=True), refusals)


def _noted(notes: object) -> Iterable[str]:
    if isinstance(notes, str):
        return notes.split(",")
    return [str(one) for one in notes] if isinstance(notes, list) else ()


def sentence(template: tuple[str, str], name: str, *, many: bool) -> str:
    """A template about an object, one or several of it."""
    if many:
        return template[1].format(x=plural(name))
    return template[0].format(x=name, a=f"{article(name)} {name}")


def _objects(
    text: str, tokens: Sequence[tagging.Token], state: State, protected: re.Pattern[str] | None
) -> tuple[list[tuple[int, bool]], str]:
    """The objects that a caption says are there, each with whether there are several; or why there is none."""
    reason = unasserted(text)
    if reason:
        return [], reason
    if negated(text):
        return [], "negated"
    if not _DEPICTED.isdisjoint(lowered(text)):
        return [], "depicted"
    spared = [match.span() for match in protected.finditer(text)] if protected is not None else []
    found: dict[int, bool] = {}
    reason = "no-object"
    for part in clauses.split(text, tokens):
        words, at = part.words, 0
        while at < len(words):
            pair = f"{words[at].lower} {words[at + 1].lower}" if at + 1 < len(words) else ""
            last = at + 1 if pair in state.forms else at
            form = pair if last > at else words[at].lower
            if form in state.forms:
                why = _not_there(words, at, last, state.objects[state.forms[form]])
                if not why and any(words[at].start < end and start < words[last].end for start, end in spared):
                    why = "protected"
                if not why:
                    number = state.forms[form]
                    found.setdefault(number, form == plural(state.objects[number]) or form == "bikes")
                reason = why if reason == "no-object" and why else reason
            at = last + 1
    return list(found.items()), reason


def _not_there(words: Sequence[Word], first: int, last: int, name: str) -> str:
    """Why the name of an object does not say that it is there, or nothing."""
    from negforge.lexicon import lexicon

    after = words[last + 1] if last + 1 < len(words) else None
    if words[first].text[0].isupper() and first and words[first - 1].text not in (".", '"'):
        return "compound"
    if first == last and words[last].tag not in ("NN", "NNS", "NNP", "NNPS"):
        return "compound"
    if after is not None:
        if after.lower in ("'s", "'"):
            return "possessive"
        if after.tag in ("NN", "NNS", "NNP", "NNPS", "JJ") or after.text in ("-", "/"):
            return "compound"
    if first and first == last and lexicon().is_phrase(words[first - 1].lower, name) and words[first - 1].tag not in ("DT", "CD", "IN"):
        return "compound"
    if first >= 2 and words[first - 1].lower == "of" and words[first - 2].lower == "out":
        return "compound"  # `out of doors`
    if any(word.lower == "or" for word in words):
        return "alternative"
    at = first - 1
    while at >= 0 and words[at].tag in _MODIFIERS and words[at].text != ",":
        at -= 1
    return "sought" if at >= 0 and words[at].lower in _SEEKING else ""

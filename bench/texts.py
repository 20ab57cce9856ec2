"""The texts that are measured on: real prose, the docstrings of the standard library, spliced by a seed into any number of rows."""

from __future__ import annotations

import ast
import re
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from negforge.records import NEGATIVES, PAIRS
from negforge.sinks import FileSink

_SEED = 20_240_229
_ROWS_AT_ONCE = 50_000
_WITH_SITE = 4  # one text of four has a number that can change
_FACTS = (
    "The shop sold {} loaves that morning.",
    "The report lists {} errors in all.",
    "Her father paid {} dollars for the old boat.",
    "The lake is {} metres deep.",
    "The train carried {} passengers to the coast.",
    "Our library owns {} maps of the valley.",
    "The bridge weighs {} tons.",
    "They planted {} trees along the river.",
)


def prose(folder: Path) -> pl.DataFrame:
    """Sentences of 8 to 16 words without a digit, each cut in two: `head`, `tail`. Kept in the folder for the next child."""
    path = folder / "prose.parquet"
    if not path.exists():
        library = Path(sysconfig.get_path("stdlib"))
        sources = [one for one in library.rglob("*.py") if not {"site-packages", "test", "tests"} & {*one.parts}]
        found = sorted({one for source in sources for one in _sentences(source)})
        words = [one.split(" ") for one in found]
        halves = [(" ".join(one[: len(one) // 2]), " ".join(one[len(one) // 2 :])) for one in words]
        pl.DataFrame(halves, schema=["head", "tail"], orient="row").write_parquet(path)
    return pl.read_parquet(path)


def _sentences(source: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source.read_text(encoding="utf-8", errors="replace"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = " ".join((ast.get_docstring(node) or "").split())
            for one in re.split(r"(?<=[.!])\s+(?=[A-Z])", text):
                if 8 <= one.count(" ") + 1 <= 16 and re.fullmatch(r"[A-Z][A-Za-z ,;:'()/-]+\.", one):
                    yield one


def frames(folder: Path, rows: int, *, sentences: int = 1, sites: int = _WITH_SITE) -> Iterator[pl.DataFrame]:
    """Rows of `id`, `anchor`, `positive` in frames; a row is the same however many there are.

    sentences: how many sentences of about 11 words the positive has. sites: one of so many rows states a number.
    """
    pool = prose(folder)
    facts = pl.Series([fact.format(number) for fact in _FACTS for number in range(12, 1000)])
    for start in range(0, rows, _ROWS_AT_ONCE):
        size = min(_ROWS_AT_ONCE, rows - start)
        draws = np.random.default_rng([_SEED, start]).integers(0, 1 << 62, (2 * sentences + 3, _ROWS_AT_ONCE))[:, :size]
        halves = [pool["head" if turn % 2 == 0 else "tail"].gather(draw % pool.height) for turn, draw in enumerate(draws[:-1])]
        frame = pl.DataFrame([half.alias(f"h{number}") for number, half in enumerate(halves)]).with_columns(
            fact=facts.gather(draws[-1] % len(facts)), row=pl.int_range(start, start + size)
        )
        text = pl.concat_str([f"h{number}" for number in range(2 * sentences)], separator=" ")
        stated = pl.concat_str([f"h{number}" for number in range(2 * sentences - 1)], separator=" ") + ". " + pl.col("fact")
        yield frame.select(
            id=pl.format("row-{}", "row"),
            anchor=pl.concat_str(f"h{2 * sentences}", f"h{2 * sentences + 1}", separator=" "),
            positive=pl.when(pl.col("row") % sites == 0).then(stated).otherwise(text),
        )


def write_pairs(folder: Path, path: Path, rows: int, *, sentences: int = 1) -> None:
    """A table of pairs as `ingest pairs` would leave it."""
    sink = FileSink(PAIRS, path, clustered=False)
    for frame in frames(folder, rows, sentences=sentences):
        sink.write(frame.select("id", pl.col("id").alias("anchor_id"), "anchor", "positive"))
    sink.finish([], {})


PLANTED = ("exact", "normalised", "2 %", "5 %", "10 %", "20 %")


def planted(folder: Path, rows: int) -> pl.DataFrame:
    """Short passages, and a copy of one of thirty for each way of copying: `id`, `text`, `kind`, `of`, in a drawn order.

    kind: null of a passage; of a copy how it was made: as it is, in other case, spacing and punctuation, or with so many of its
    words replaced. of: the id of the passage that it copies.
    """
    passages = pl.concat([*frames(folder, rows, sentences=5)]).select("id", text="positive")
    draws = np.random.default_rng([_SEED, rows])
    vocabulary = passages["text"].head(5_000).str.split(" ").explode().unique().sort()
    chosen = draws.permutation(rows)[: rows // 30 * len(PLANTED)]
    made = []
    for number, kind in enumerate(PLANTED):
        some = passages[chosen[number :: len(PLANTED)]]
        if kind == "normalised":
            text = some["text"].str.to_uppercase().str.replace_all(" ", "  ", literal=True) + " !"
        elif kind == "exact":
            text = some["text"]
        else:
            text = _edited(some["text"], int(kind.split(" ")[0]) / 100, vocabulary, draws)
        made.append(
            some.select(pl.format("{}-{}", pl.lit(kind.replace(" ", "")), "id").alias("id"), text=text, kind=pl.lit(kind), of=pl.col("id"))
        )
    whole = pl.concat([passages.with_columns(kind=pl.lit(None, pl.String), of=pl.lit(None, pl.String)), *made])
    return whole[draws.permutation(whole.height)]


def _edited(texts: pl.Series, share: float, vocabulary: pl.Series, draws: np.random.Generator) -> pl.Series:
    """The texts with that share of their words, one at least, replaced by words drawn from a vocabulary."""
    split = texts.str.split(" ")
    sizes = split.list.len().to_numpy().astype(np.int64)
    row = np.repeat(np.arange(len(texts)), sizes)
    order = np.lexsort((draws.random(len(row)), row))
    place = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    edited = np.zeros(len(row), dtype=bool)
    edited[order] = place < np.repeat(np.maximum(1, np.rint(sizes * share)), sizes)
    words = pl.DataFrame({"row": row, "edited": edited, "word": split.explode()})
    words = words.with_columns(new=vocabulary.gather(draws.integers(0, len(vocabulary), len(row))))
    joined = words.select("row", pl.when("edited").then("new").otherwise("word").alias("word")).group_by("row", maintain_order=True)
    return joined.agg(pl.col("word").str.join(" "))["word"]


def write_planted(folder: Path, path: Path, rows: int) -> None:
    """The planted texts as negatives of one table, and beside them, in `planted.parquet`, which copies which, and how near it is."""
    whole = planted(folder, rows)
    texts = dict(whole.select("id", "text").rows())
    pairs = zip(whole["text"].to_list(), whole["of"].to_list(), strict=True)
    similar = [None if of is None else _similarity(text, texts[of]) for text, of in pairs]
    whole.with_columns(similarity=pl.Series(similar, dtype=pl.Float64)).write_parquet(folder / "planted.parquet")
    sink = FileSink(NEGATIVES, path, clustered=False)
    for frame in whole.iter_slices(_ROWS_AT_ONCE):
        given = frame.select("id", anchor_id="id", anchor="id", positive=pl.lit("a positive"), negative="text")
        made = given.with_columns(expression.alias(name) for name, expression in _lineage().items())
        sink.write(made.select(NEGATIVES.ordered(made.columns)))
    sink.finish([], {})


def _similarity(one: str, other: str) -> float:
    """The Jaccard similarity of the sets of three lower-cased words in a row, marks aside."""
    left, right = (
        {*zip(words, words[1:], words[2:], strict=False)} for words in (re.findall(r"\w+", text.lower()) for text in (one, other))
    )
    return len(left & right) / len(left | right)


def _lineage() -> dict[str, pl.Expr]:
    """The columns that rows of `generate perturb.number` have in common."""
    return {
        "label": pl.lit("negative"),
        "opposition": pl.lit("contradiction"),
        "evidence": pl.lit(pl.Series([["edit"]])).first(),
        "source_id": pl.col("id"),
        "source_ids": pl.concat_list("id"),
        "initial_label": pl.lit("negative"),
        "operator": pl.lit("perturb.number"),
        "operator_version": pl.lit(1, pl.Int64),
        "options_digest": pl.lit("0" * 32),
        "seed": pl.lit(0, pl.Int64),
        "draw": pl.lit(0, pl.Int64),
    }


def write_negatives(folder: Path, path: Path, rows: int, *, sentences: int = 1) -> None:
    """A table of negatives as `generate perturb.number` would leave it, four to an anchor and one of twenty repeated."""
    sink = FileSink(NEGATIVES, path, clustered=False)
    for frame in frames(folder, rows, sentences=sentences):
        row = pl.col("id").str.slice(4).cast(pl.Int64)
        columns = {
            "anchor_id": pl.format("anchor-{}", row // 4),
            "anchor": pl.format("anchor {}", row // 4),
            "negative": pl.when(row % 20 == 1).then(pl.col("positive").shift(1)).otherwise(pl.col("positive")),
            **_lineage(),
        }
        made = frame.with_columns(expression.alias(name) for name, expression in columns.items())
        sink.write(made.select(NEGATIVES.ordered(made.columns)))
    sink.finish([], {})

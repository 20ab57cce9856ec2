"""Judgements of queries and documents by id: BEIR's table, or TREC's four columns."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from negforge.errors import InputError
from negforge.records import missing_column
from negforge.tables import format_of, open_sources


def judgements(spec: str, flag: str = "--qrels") -> Iterator[pl.DataFrame]:
    """Frames of `query`, `document` and `relevance` of a table with BEIR's columns, or of a file in TREC's four. flag: that names it."""
    if format_of(spec)[0] in ("", "txt") and not spec.startswith("hf://"):
        yield from _trec(Path(spec), flag)
        return
    for source in open_sources(spec):
        done = 1
        for frame in source.batches(1 << 16):
            for name in ("query-id", "corpus-id", "score"):
                if name not in frame.columns:
                    error = missing_column(name, frame.columns, source.name, has_flag=False)
                    mend = "the first line names the columns: query-id, corpus-id, score; a file in TREC's form ends in .trec or .txt"
                    raise InputError(error.what, error.where, mend)
            made = frame.select(
                pl.col("query-id").cast(pl.String).alias("query"),
                pl.col("corpus-id").cast(pl.String).alias("document"),
                pl.col("score").cast(pl.Float64, strict=False).alias("relevance"),
            )
            yield _numbers_only(made, frame["score"], source.name, done + 1)
            done += frame.height


def _numbers_only(frame: pl.DataFrame, raw: pl.Series, name: str, line: int) -> pl.DataFrame:
    """The frame, if every judgement is a number and names a query and a document. line: of its first row."""
    whole = pl.all_horizontal(pl.col("relevance").is_finite().fill_null(value=False), pl.col("query", "document").is_not_null())
    bad = (~frame.select(whole).to_series()).arg_true()
    if len(bad):
        row = int(bad[0])
        what = f"query {frame['query'][row]!r}, document {frame['document'][row]!r}, score {raw[row]!r}"
        raise InputError("a judgement is not a query, a document and a number", f"{name} line {line + row}: {what}", "mend the line")
    return frame


def _trec(path: Path, flag: str) -> Iterator[pl.DataFrame]:
    """Lines of query, iteration, document and relevance, between blanks or tabs."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            held: list[tuple[str, str, float]] = []
            for number, line in enumerate(lines, start=1):
                words = line.split()
                if not words:
                    continue
                if len(words) != 4 or not re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", words[3]):
                    mend = "TREC's form is: query, iteration, document, relevance; a table of BEIR's ends in .tsv"
                    raise InputError(f"{path} line {number} is no judgement", repr(line.strip()[:80]), mend)
                held.append((words[0], words[2], float(words[3])))
                if len(held) == 1 << 16:
                    yield _frame(held)
                    held = []
            if held:
                yield _frame(held)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}", mend=f"check the path of {flag}") from None
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise InputError(f"cannot read {path}", str(error).partition("\n")[0], f"name a file of judgements as {flag}") from None


def _frame(rows: list[tuple[str, str, float]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"query": pl.String, "document": pl.String, "relevance": pl.Float64}, orient="row")

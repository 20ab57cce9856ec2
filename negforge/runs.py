"""Reads TREC run files into a narrow store on disk, query by query and best first, that is memory-mapped.

A run's line is `qid Q0 docno rank score tag`, between any blanks. A query's list is in the order of the scores, as trec_eval takes
it, whatever order the lines stand in and whatever ranks they claim. Of equal scores the lower docno is first, as everywhere here;
trec_eval takes the higher one. By `rank` the list is in the order of the ranks that the lines claim, then by docno.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge import rng
from negforge.corpus import CorpusStore, cached
from negforge.engine import Partitioner, storage
from negforge.errors import InputError, listed
from negforge.formats import BYTE_ORDER_MARK
from negforge.records import Corpus
from negforge.rng import U64
from negforge.tables import content_digest, pieces

Order = Literal["score", "rank"]
Rows = NDArray[np.int64]
_PIECE_BYTES = 1 << 23
_LONGEST = 1 << 20  # bytes of a line; one without an end is no run's
_MOST_TAGS = 10_000
_GAP = r"[ \t\x0b\x0c\r]"
_FIELD = r"[^ \t\x0b\x0c\r]+"
_LINE = rf"^{_GAP}*({_FIELD})" + rf"{_GAP}+({_FIELD})" * 5 + rf"{_GAP}*$"
_QID, _DOCNO, _RANK, _SCORE, _TAG = "1", "3", "4", "5", "6"
_MENDS = {
    3: 'a run has six columns; of `qid docno score` make one: awk \'{print $1, "Q0", $2, 0, $3, "NAME"}\'',
    4: "four columns are judgements (qrels), a run has six",
    5: "a run has six columns: is the tag, the last one, missing?",
}


@dataclass(frozen=True)
class Facts:
    """What a run file holds: its tags in the order in which they came, and counts of lines.

    repeated: lines whose query has that docno in a better place. unknown: lines whose docno is not in the corpus, the first of
    which by its text is `first_unknown`.
    """

    tags: tuple[str, ...]
    lines: int
    queries: int
    comments: int
    blank: int
    repeated: int
    unknown: int
    first_unknown: str


@dataclass(frozen=True)
class Found:
    """Lines of the lists that were asked for, best first for each; `owner` is the number of the list asked for.

    row: of the corpus, -1 for a docno that it does not have. rank: in the query's list, from 1. tag: a number of `Facts.tags`.
    repeated: for each list asked for, the lines left out of it. there: which of those lists the run has.
    """

    owner: Rows
    row: Rows
    rank: Rows
    score: NDArray[np.float64]
    tag: Rows
    repeated: Rows
    there: NDArray[np.bool_]


class RunStore:
    """The lists of a run file. Picklable: only the path travels."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(
        cls, file: Path, corpus: Corpus, store: CorpusStore, order: Order, max_memory: int, phase: Callable[[str], None] = lambda _: None
    ) -> RunStore:
        """The store of a file's lists over a corpus, from the cache if the same content was stored before.

        phase: told how far it is read.
        Raises InputError for a line that is none of a run, naming it, and for a file without one.
        """
        key = f"run-{rng.blake('run store 1', content_digest(file), corpus.digest, order)}"
        return cls(cached(key, lambda folder: _write(file, store, order, folder, max_memory // 8, phase)))

    @property
    def facts(self) -> Facts:
        """What the file holds."""
        return _open(str(self.path)).facts

    def queries(self) -> pl.DataFrame:
        """The `key` of each query, ascending, and its `qid`."""
        return pl.read_ipc(self.path / "queries.arrow")

    def places(self, qids: pl.Series) -> Rows:
        """The number of each query in `queries`, -1 for one that the run has not."""
        key, wanted = _open(str(self.path)).key, rng.hash64(qids)
        place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        return np.where(key[place] == wanted, place, -1)

    def sizes(self, qids: pl.Series) -> Rows:
        """How many lines the list of each query has."""
        opened, place = _open(str(self.path)), self.places(qids)
        return np.where(place >= 0, opened.first[place + 1] - opened.first[place], 0)

    def lists(self, qids: pl.Series, first: int = 1, last: int | None = None) -> Found:
        """The lists of some queries, or of each the ranks from `first` to `last`."""
        opened, place = _open(str(self.path)), self.places(qids)
        there = place >= 0
        sizes = np.where(there, opened.first[place + 1] - opened.first[place], 0)
        sizes = np.maximum((sizes if last is None else np.minimum(sizes, last)) - (first - 1), 0)
        owner = np.repeat(np.arange(len(qids), dtype=np.int64), sizes)
        within = first - 1 + np.arange(len(owner), dtype=np.int64) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        lines = np.repeat(opened.first[place], sizes) + within
        tag = opened.tag[lines].astype(np.int64) if len(opened.tag) else np.zeros(len(lines), dtype=np.int64)
        repeated = np.where(there, opened.repeated[place], 0)
        return Found(owner, opened.row[lines], within + 1, opened.score[lines], tag, repeated, there)

    def __getstate__(self) -> dict[str, Path]:
        return {"path": self.path}


@dataclass(frozen=True)
class _Opened:
    """The opened store. Lines first[i] to first[i + 1] are the list of the query with key[i]."""

    facts: Facts
    key: U64
    first: Rows
    repeated: Rows
    row: Rows
    score: NDArray[np.float64]
    tag: NDArray[np.uint16]


@functools.lru_cache(maxsize=16)
def _open(folder: str) -> _Opened:
    def column(name: str, dtype: type) -> NDArray[Any]:
        path = Path(folder) / name
        there = path.exists() and path.stat().st_size
        return np.memmap(path, dtype=dtype, mode="r") if there else np.zeros(0, dtype=dtype)

    known = json.loads((Path(folder) / "facts.json").read_text(encoding="utf-8"))
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum(column("sizes.i64", np.int64))])
    return _Opened(
        Facts(**{**known, "tags": tuple(known["tags"])}),
        column("keys.u64", np.uint64),
        first,
        column("repeated.i64", np.int64),
        column("rows.i64", np.int64),
        column("scores.f64", np.float64),
        column("tags.u16", np.uint16),
    )


# -- reading -----------------------------------------------------------------------------------------------------------


@dataclass
class _Reader:
    """Reads a file's lines; counts those that are none of a run."""

    file: Path
    order: Order
    tags: dict[str, int]
    lines: int = 0
    comments: int = 0
    blank: int = 0

    def frames(self) -> Iterator[pl.DataFrame]:
        """Columns qid, docno, place (what the list is ordered by, ascending), score and tag."""
        read = 0
        for text in self._texts():
            lines = pl.Series([text]).str.split("\n").explode()
            yield self._parsed(lines, read)
            read += len(lines)
        if not self.lines:
            raise InputError(f"{self.file} holds no line of a run", mend="fetch or make it again")

    def _texts(self) -> Iterator[str]:
        """Whole lines, many at a time, without the last one's end."""
        held, read = b"", 0
        for piece in pieces(self.file, _PIECE_BYTES):
            head, end, rest = piece.rpartition(b"\n")
            if end:
                text = self._decoded(held + head, read)
                read += text.count("\n") + 1
                yield text
            held = rest if end else held + piece
            if len(held) > _LONGEST:
                raise InputError(f"a line is longer than {_LONGEST >> 20} MiB", f"{self.file}:{read + 1}", "is it a run at all?")
        if held:
            yield self._decoded(held, read)

    def _decoded(self, data: bytes, read: int) -> str:
        try:
            return (data.removeprefix(BYTE_ORDER_MARK) if not read else data).decode()
        except UnicodeDecodeError as error:
            place = f"{self.file}:{read + 1 + data[: error.start].count(10)}"
            raise InputError("a line is not UTF-8", place, "convert the file to UTF-8") from None

    def _parsed(self, lines: pl.Series, read: int) -> pl.DataFrame:
        fields = lines.str.extract_groups(_LINE).struct.unnest()
        comment = lines.str.contains(rf"^{_GAP}*#")
        blank = fields[_QID].is_null() & ~comment & ~lines.str.contains(_FIELD)
        ours = ~comment & ~blank
        score = fields[_SCORE].cast(pl.Float64, strict=False)
        place = fields[_RANK].cast(pl.Int64, strict=False) if self.order == "rank" else -score
        wrong = ours & (~score.is_finite().fill_null(value=False) | place.is_null())
        if wrong.any():
            number = int(wrong.arg_true()[0])
            self._refuse(lines[number], fields.row(number, named=True), f"{self.file}:{read + number + 1}")
        self.comments += int(comment.sum())
        self.blank += int(blank.sum())
        self.lines += int(ours.sum())
        # A score of -0.0 ties with one of 0.0.
        made = [fields[_QID].alias("qid"), fields[_DOCNO].alias("docno"), (place + 0).alias("place"), score.alias("score")]
        frame = pl.DataFrame([*made, fields[_TAG].alias("tag")]).filter(ours)
        return frame.with_columns(self._numbered(frame["tag"]))

    def _refuse(self, line: str, fields: dict[str, str | None], place: str) -> NoReturn:
        """Raise InputError for a line that is none of a run."""
        score, rank = fields[_SCORE], fields[_RANK]
        if score is None:
            what = "malformed line of a run"
            mend = _MENDS.get(len(re.findall(_FIELD, line)), "a run's line is `qid Q0 docno rank score tag`; mend the line or remove it")
        elif self.order == "rank" and not re.fullmatch("[+-]?[0-9]{1,18}", str(rank)):
            what, mend = f"the rank {rank!r} is not a whole number", "pass --order score, or mend the rank"
        else:
            what, mend = f"the score {score!r} is not a finite number", "mend the score, or leave the line out"
        raise InputError(what, f"{place}: {line.strip()[:80]}", mend)

    def _numbered(self, tags: pl.Series) -> pl.Series:
        """Tags as numbers, in the order in which they came."""
        names = tags.unique(maintain_order=True).to_list()
        for name in names:
            self.tags.setdefault(name, len(self.tags))
        if len(self.tags) > _MOST_TAGS:
            some = listed([*self.tags][:3])
            raise InputError(
                f"{self.file} has more than {_MOST_TAGS:,} tags", f"among them {some}", "the last column names the system that ran"
            )
        return tags.replace_strict(names, [self.tags[name] for name in names], return_dtype=pl.UInt16)


# -- storing -----------------------------------------------------------------------------------------------------------


def _write(file: Path, store: CorpusStore, order: Order, folder: Path, limit_bytes: int, phase: Callable[[str], None]) -> None:
    """Files of one column each: keys, sizes and repeated lines of the queries; row, score and tag of the lines, list by list."""
    reader = _Reader(file, order, {})
    parts = Partitioner(folder / "scratch", limit_bytes)
    for frame in reader.frames():
        parts.add(frame, rng.hash64(frame["qid"]))
        phase(f"reading {file}, {reader.lines:,} lines")
    tally = {"queries": 0, "repeated": 0, "unknown": 0}
    first_unknown: str | None = None
    named = [pl.DataFrame(schema={"key": pl.UInt64, "qid": pl.String})]
    with storage(folder):
        names = ("keys.u64", "sizes.i64", "repeated.i64", "rows.i64", "scores.f64", *(["tags.u16"] if len(reader.tags) > 1 else []))
        out = {name: (folder / name).open("wb") for name in names}
        for part, key in parts.parts():
            lines = part.with_columns(pl.Series("key", key)).sort("key", "place", "docno", "tag")
            again = ~lines.select(pl.struct("key", "docno").is_first_distinct()).to_series()
            lists = lines.group_by("key", maintain_order=True).agg(pl.col("qid").first(), pl.len())
            # Several files' worth of repeats are rare: they are counted query by query all the same.
            repeats = lines.filter(again).group_by("key").len("repeated")
            lists = lists.join(repeats, on="key", how="left", maintain_order="left").with_columns(pl.col("repeated").fill_null(0))
            lines = lines.filter(~again)
            row = store.find(lines["docno"])
            missing = lines["docno"].filter(pl.Series(row < 0))
            if len(missing):
                least = str(missing.min())
                first_unknown = least if first_unknown is None else min(first_unknown, least)
            tally["queries"] += lists.height
            tally["repeated"] += int(again.sum())
            tally["unknown"] += len(missing)
            columns = {
                "keys.u64": lists["key"].to_numpy(),
                "sizes.i64": (lists["len"].cast(pl.Int64) - lists["repeated"].cast(pl.Int64)).to_numpy(),
                "repeated.i64": lists["repeated"].cast(pl.Int64).to_numpy(),
                "rows.i64": row.astype(np.int64),
                "scores.f64": lines["score"].to_numpy(),
                "tags.u16": lines["tag"].to_numpy(),
            }
            for name, handle in out.items():
                columns[name].tofile(handle)
            named.append(lists.select("key", "qid"))
        for handle in out.values():
            handle.close()
        pl.concat(named).write_ipc(folder / "queries.arrow", compression="uncompressed")
        facts = Facts(
            tuple(reader.tags), reader.lines, comments=reader.comments, blank=reader.blank, first_unknown=first_unknown or "", **tally
        )
        (folder / "facts.json").write_text(json.dumps(asdict(facts)), encoding="utf-8")

"""Make the extract of WordNet that lies beside this file, from WordNet's own database files.

    python -m negforge.lexicon.build FOLDER

FOLDER holds `data.*`, `index.sense` and `*.exc` of WordNet 3.0, as Debian's packages `wordnet-base` and `wordnet-sense-index` bring them
in /usr/share/wordnet. The same files give the same bytes. Glosses, examples and frames are left out.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

_PARTS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
_TYPES = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
_HERE = Path(__file__).parent


def _synsets(folder: Path, part: str) -> list[dict[str, Any]]:
    """The synsets of a part of speech: place in the file, words, lexicographer's file, pointers (symbol, place, part, from, to)."""
    found = []
    for line in (folder / f"data.{_PARTS[part]}").read_text(encoding="ascii").splitlines():
        if line.startswith("  "):
            continue
        fields = line.split(" | ")[0].split()
        count = int(fields[3], 16)
        # `(p)`, `(a)` and `(ip)` say where an adjective may stand; they are no part of it.
        words = [fields[4 + 2 * at].partition("(")[0].replace("_", " ") for at in range(count)]
        at = 4 + 2 * count
        pointers = [fields[at + 1 + 4 * number : at + 5 + 4 * number] for number in range(int(fields[at]))]
        links = [(symbol, int(place), _TYPES.get(kind, kind.replace("s", "a")), *bytes.fromhex(ends))
                 for symbol, place, kind, ends in pointers]  # fmt: skip
        found.append({"part": part, "place": int(fields[0]), "lexname": int(fields[1]), "words": words, "links": links})
    return found


def _ranks(folder: Path) -> dict[tuple[str, str, int], tuple[int, int]]:
    """The number of a word's sense, from 1, and how often the sense was tagged, by word, part and place."""
    found = {}
    for line in (folder / "index.sense").read_text(encoding="ascii").splitlines():
        key, place, rank, count = line.split()
        word, _, rest = key.partition("%")
        found[word.replace("_", " "), _TYPES[rest[0]], int(place)] = int(rank), int(count)
    return found


def build(folder: Path, out: Path = _HERE) -> None:
    """Write `synsets.parquet`, `senses.parquet`, `antonyms.parquet` and `forms.parquet`."""
    every = [one for part in _PARTS for one in _synsets(folder, part)]
    number = {(one["part"], one["place"]): row for row, one in enumerate(every)}
    ranks = _ranks(folder)
    senses = []
    for row, one in enumerate(every):
        for place, word in enumerate(one["words"], start=1):
            rank, count = ranks[word.lower(), one["part"], one["place"]]
            senses.append((word.lower(), one["part"], rank, row, place, count, word))
    senses.sort()
    place_of = {(row, place): at for at, (_, _, _, row, place, _, _) in enumerate(senses)}

    def linked(one: dict[str, Any], *symbols: str) -> list[int]:
        return sorted({number[part, place] for symbol, place, part, _, _ in one["links"] if symbol in symbols})

    opposite = sorted(
        {
            (place_of[row, source], place_of[number[part, place], target])
            for row, one in enumerate(every)
            for symbol, place, part, source, target in one["links"]
            if symbol == "!"
        }
    )
    forms = [
        (form.replace("_", " "), part, base.replace("_", " "))
        for part, name in _PARTS.items()
        for line in (folder / f"{name}.exc").read_text(encoding="ascii").splitlines()
        for form, *bases in [line.split()]
        for base in bases
    ]
    ints = pl.List(pl.Int32)
    _write(
        out / "synsets.parquet",
        pl.DataFrame(
            {
                "part": [one["part"] for one in every],
                "lexname": [one["lexname"] for one in every],
                "hypernyms": [linked(one, "@", "@i") for one in every],
                "instance": [any(symbol == "@i" for symbol, *_ in one["links"]) for one in every],
            },
            schema_overrides={"lexname": pl.UInt8, "hypernyms": ints},
        ),
    )
    columns = ("key", "part", "rank", "synset", "place", "count", "word")
    _write(
        out / "senses.parquet",
        pl.DataFrame(senses, schema=columns, orient="row")
        .drop("place")
        .with_columns(
            pl.col("rank").cast(pl.UInt8), pl.col("synset", "count").cast(pl.Int32), pl.when(pl.col("word") != pl.col("key")).then("word")
        ),
    )
    _write(out / "antonyms.parquet", pl.DataFrame(opposite, schema={"sense": pl.Int32, "opposite": pl.Int32}, orient="row"))
    _write(out / "forms.parquet", pl.DataFrame(sorted(set(forms)), schema=["form", "part", "base"], orient="row"))


def _write(path: Path, frame: pl.DataFrame) -> None:
    table = frame.to_arrow()
    plain = pa.schema([(field.name, pa.string() if pa.types.is_large_string(field.type) else field.type) for field in table.schema])
    pq.write_table(table.cast(plain), path, compression="zstd", compression_level=19, row_group_size=1 << 20)


if __name__ == "__main__":
    build(Path(sys.argv[1]))

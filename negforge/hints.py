"""What to type next, after a stage that wrote something: a line that works as it stands."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from negforge.errors import NegforgeError
from negforge.inputs import sources_of
from negforge.runner import Stage
from negforge.tables import SIDECARS, TEXT, format_of

_MOST = 50  # files of a folder that are looked into for a table to go with the one just written


def next_command(stage: Stage, output: str | None, counts: Mapping[str, Any] | None = None) -> list[str]:
    """The line `next: ...`, or nothing where the rows went to a stream or the next step cannot be known.

    counts: the stage's, for the scores to set a threshold by.
    """
    if output in (None, "-"):
        return []
    out = Path(str(output))
    scores = (counts or {}).get("scores") if stage.operator.verb == "score" else None
    words = _threshold(out, scores) if scores else _words(stage, out)
    return ["  next: " + shlex.join(words)] if words else []


def _words(stage: Stage, out: Path) -> list[str]:
    verb, makes = stage.operator.verb, stage.operator.makes
    if makes is None:
        whole = stage.operator.declares.document == "{rows}" or format_of(out.name)[0] != "json"
        return _load(out) if whole else []
    if stage.operator.name == "tags":
        return ["negforge", "generate", "perturb.negation", str(out), "-o", str(_beside(out, f"{out.stem}-negated.parquet"))]
    if makes.name == "pairs":
        return _after_pairs(stage, out)
    if makes.name == "corpus":
        return _after_corpus(stage, out)
    if makes.name != "negatives":
        return []
    if format_of(out.name)[0] in TEXT:  # a stage that read it would lose the dropped rows and the history
        return ["negforge", "show", str(out)]
    if verb in ("dedupe", "schedule") or not format_of(out.name)[0]:
        return ["negforge", "export", "sentence-transformers", str(out), "-o", str(_beside(out, f"{out.stem}-triplets.parquet"))]
    return ["negforge", "dedupe", "exact", str(out), "-o", str(_dataset(out))]


def _threshold(out: Path, scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What each threshold would do, where positives are scored as well; else a filter to begin from, at the upper quartile."""
    name, values = next(iter(scores.items()))
    if f"{name}_positive" in scores:
        return ["negforge", "calibrate", str(out), "--by", name.removeprefix("score_")]
    keep = f"{name} <= {values['p75']:g}"
    return ["negforge", "filter", "where", str(out), "--keep", keep, "-o", str(_beside(out, f"{out.stem}-filtered.parquet"))]


def _after_pairs(stage: Stage, out: Path) -> list[str]:
    corpus = next(_tables(out.parent, "corpus"), None)
    if corpus is not None:
        return _mine(out, corpus)
    target = str(_beside(out, "corpus.parquet"))
    if stage.operator.reads_folder:
        files = [path for one in stage.inputs for path in sorted(Path(str(one)).glob("corpus.jsonl*"))]
        return ["negforge", "ingest", "corpus", *map(str, files), "-o", target]
    # Without a corpus of their own, the positives of the others are what to choose from.
    return ["negforge", "ingest", "corpus", str(out), "--text", "positive", "-o", target]


def _after_corpus(stage: Stage, out: Path) -> list[str]:
    sources = [Path(one) for one in stage.inputs if isinstance(one, str) and one != "-"]
    pairs = next((one for one in sources if _kind(one) == "pairs"), None) or next(_tables(out.parent, "pairs"), None)
    if pairs is not None:
        return _mine(pairs, out)
    folder = sources[0].parent if sources else Path()
    judged = any(folder.glob("queries.jsonl*")) and any(folder.glob("qrels/train.tsv*"))
    return ["negforge", "ingest", "beir", str(folder), "-o", str(_beside(out, "pairs.parquet"))] if sources and judged else []


def _mine(pairs: Path, corpus: Path) -> list[str]:
    out = str(_beside(pairs, "negatives.parquet"))
    return ["negforge", "generate", "mine.bm25", str(pairs), "--corpus", str(corpus), "-n", "4", "-o", out]


def _tables(folder: Path, kind: str) -> Iterator[Path]:
    """Tables of that kind that negforge wrote into a folder."""
    for path in sorted(folder.glob("*.parquet"))[:_MOST]:
        if not path.name.endswith(tuple(f".{name}.parquet" for name in SIDECARS)) and _kind(path) == kind:
            yield path


def _kind(path: Path) -> str:
    """The kind of a table of ours, or nothing for whatever else lies there."""
    try:
        return sources_of([str(path)])[0].kind
    except (NegforgeError, OSError, ValueError, KeyError, pl.exceptions.PolarsError):
        return ""


def _beside(out: Path, name: str) -> Path:
    return out.parent / name


def _dataset(out: Path) -> Path:
    """A folder for the dataset that a file's rows become: new, or one of ours."""
    folder = out.with_suffix("") if format_of(out.name)[0] else out
    return folder if (folder / ".negforge").is_dir() or not folder.exists() else folder.with_name(f"{folder.name}-dataset")


def _load(out: Path) -> list[str]:
    """How the trainer's side reads an export."""
    form = format_of(out.name)[0]
    form = {"jsonl": "json"}.get(form, form)
    place = f'"{form}", data_files="{out}"' if form else f'"{out}"'
    return [_python(), "-c", f'from datasets import load_dataset; print(load_dataset({place}, split="train"))']


def _python() -> str:
    """The interpreter in use, as it is called from here: another one may have no `datasets`."""
    name = Path(sys.executable).name
    found = shutil.which(name)
    return name if found is not None and Path(found).parent == Path(sys.executable).parent else sys.executable or name

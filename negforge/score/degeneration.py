"""Score how far the negative fails in form: repeats itself, loops, says few words, copies its question, or breaks off.

- `score_degeneration`: the larger of the next two, and 1 for a text without a word; `score_degeneration_positive`: that of the
  positive, which may have a refrain of its own;
- `score_degeneration_repeated`: share of the runs of three words that stood there before;
- `score_degeneration_loop`: share of the words that lie in the longest stretch of up to 60 words said three times on end or more;
- `score_degeneration_distinct`: share of different words among the first 200 (type-token ratio), null without a word;
- `score_degeneration_length`: words of the negative by those of the positive, null where that has none;
- `score_degeneration_copied`: share of the runs of three words that stand in the anchor, null without a word;
- `score_degeneration_broken`: 1 where the positive ends as a sentence does and the negative does not, else 0.

Words compare without case and punctuation; in scripts without blanks each character is one.
Paper: Li et al., A Diversity-Promoting Objective Function, arXiv:1510.03055 (distinct n-grams); Holtzman et al., The Curious Case of
Neural Text Degeneration, arXiv:1904.09751 (loops); Carlsson et al., The Hyperfitting Phenomenon, arXiv:2412.04318 (type-token ratio).
"""

from __future__ import annotations

import polars as pl

from negforge import degeneration
from negforge.contract import Declares
from negforge.records import Negatives

DECLARES = Declares(version=1, scope="row", reads=Negatives)


def score(batch: Negatives) -> pl.DataFrame:
    """Eight columns of scores; all but `length` from 0 to 1.

    batch: n rows of `anchor`, `positive`, `negative`.
    """
    found = degeneration.table(batch.frame)
    broken = pl.col("ended_positive") & ~pl.col("ended")
    return found.select(
        _worst("").alias("score_degeneration"),
        _worst("_positive").alias("score_degeneration_positive"),
        *(pl.col(name).alias(f"score_degeneration_{name}") for name in ("repeated", "loop", "distinct", "copied")),
        pl.when(pl.col("words_positive") > 0).then(pl.col("words") / pl.col("words_positive")).alias("score_degeneration_length"),
        broken.cast(pl.Float64).alias("score_degeneration_broken"),
    )


def _worst(of: str) -> pl.Expr:
    return pl.when(pl.col(f"words{of}") == 0).then(1.0).otherwise(pl.max_horizontal(f"repeated{of}", f"loop{of}"))

"""Score the error rates of the negative against its positive: words or characters to substitute, insert and delete, by the positive's.

- `score_wer`: Levenshtein's distance in words, divided by the words of the positive. 0 for the same words, above 1 where more is
  wrong than was said;
- `score_wer_cer`: the same in characters, words put together with one blank, or with none in scripts that have none.

Case, punctuation and blanks do not count; `--case exact` counts case. In scripts without blanks each character is a word. Null where
the positive has no word, or a text is longer than `--max-characters`: the cost is the product of both lengths.
Paper: Levenshtein, Binary codes capable of correcting deletions, insertions and reversals, 1966; Gao et al., Paraformer,
arXiv:2206.08317 (error rates of hypotheses); Luo et al., PCPG, arXiv:2003.03983 (character error rate as a reward).
"""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge.contract import Declares
from negforge.errorrates import rates
from negforge.records import Negatives

DECLARES = Declares(version=1, scope="row", reads=Negatives)


def score(
    batch: Negatives,
    *,
    case: Annotated[Literal["folded", "exact"], Field(description="Whether words in another case are the same words.")] = "folded",
    max_characters: Annotated[
        int, Field(ge=1, description="Longest text to compare: two that long take 20 ms, or 0.1 s in Chinese.")
    ] = 20_000,
) -> pl.DataFrame:
    """Two columns of rates, 0 or more; each distinct pair of texts is compared once.

    batch: n rows of `positive`, `negative`.
    """
    texts = batch.frame.select("positive", "negative")
    short = [(pl.col(name).str.len_chars() <= max_characters).fill_null(value=False) for name in texts.columns]
    pairs = texts.filter(short).unique(maintain_order=True)
    found = [rates(right, wrong, folded=case == "folded") for right, wrong in pairs.iter_rows()]
    scored = pairs.with_columns(
        pl.Series("score_wer", [words for words, _ in found], dtype=pl.Float64),
        pl.Series("score_wer_cer", [characters for _, characters in found], dtype=pl.Float64),
    )
    return texts.join(scored, on=texts.columns, how="left", maintain_order="left").select("score_wer", "score_wer_cer")

"""Near-duplicate negatives, by role."""

from __future__ import annotations

import functools
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge import minhash
from negforge.cli import app
from negforge.errors import InputError, UsageError
from negforge.text import normalised
from tests.dedupe.test_exact import row

TITLE = "dedupe near"
TEXT = "the quick brown fox jumps over the lazy dog while the cat sleeps on a warm red mat beside the old stove"


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    """Rows as a table."""
    return pl.DataFrame([*rows], schema_overrides={"negative_id": pl.String})


def drops(made: Any) -> dict[str, tuple[str, str]]:
    """Reason and value of each dropped row."""
    return {one["id"]: (one["drop_reason"], one["drop_value"]) for one in made.dropped.to_dicts()}


def shingles(text: str) -> set[tuple[str, ...]]:
    """The sets that are compared, of a text of plain words."""
    words = text.split()
    return {tuple(words[at : at + 3]) for at in range(max(1, len(words) - 2))}


def jaccard(one: str, other: str) -> float:
    """The similarity, from its definition."""
    left, right = shingles(one), shingles(other)
    return len(left & right) / len(left | right)


def test_a_near_copy_goes_and_says_of_which_row_and_how_near() -> None:
    """One word of 22 changed leaves 17 of 23 shingles; the value is the id of the row that stays and the similarity (datatrove#370)."""
    rows = frame(row("n1", TEXT), row("n2", TEXT.replace("cat", "hen"), draw=1), row("n3", "a text of other words altogether"))
    made = negforge.run(TITLE, rows)
    assert drops(made) == {"n2": ("near-duplicate", f"n1 {17 / 23:.2f}")}
    assert made.kept["id"].to_list() == ["n1", "n3"]


@pytest.mark.parametrize(
    ("options", "kept"),
    [({}, "low"), ({"keep": "longest"}, "long"), ({"keep": "best-score"}, "best"), ({"keep": "best-score", "by": "score_b"}, "low")],
)
def test_the_rule_says_which_row_stays(options: dict[str, Any], kept: str) -> None:
    """The lowest draw, the longest text, or the highest score; a null score comes last."""
    rows = frame(
        {**row("low", TEXT, draw=0), "score_a": 0.5, "score_b": 0.1},
        {**row("long", f"{TEXT} today", draw=3), "score_a": 0.1, "score_b": None},
        {**row("best", TEXT.upper(), draw=2), "score_a": 0.9, "score_b": None},
    )
    given = rows if "by" in options else rows.drop("score_b") if options.get("keep") == "best-score" else rows
    assert negforge.run(TITLE, given, **options).kept["id"].to_list() == [kept]


def test_a_row_labelled_negative_stays_before_one_of_another_label() -> None:
    """A vetoed near-copy never displaces a row that may train, not even by a better score."""
    rows = frame({**row("n1", TEXT, label="positive"), "score_a": 0.9}, {**row("n2", TEXT.replace("cat", "hen"), draw=9), "score_a": 0.1})
    assert negforge.run(TITLE, rows).kept["id"].to_list() == ["n2"]
    assert negforge.run(TITLE, rows, keep="best-score").kept["id"].to_list() == ["n2"]


@pytest.mark.parametrize(("within", "ids"), [("pair", ["n1", "n3", "n4"]), ("anchor", ["n1", "n4"]), ("table", ["n1"])])
def test_the_scope_knows_the_roles(within: str, ids: list[str]) -> None:
    """A text may nearly stand once in its pair, its anchor or the table (MinishLab/semhash#46)."""
    near = [TEXT.replace("cat", one) for one in ("hen", "cow", "pig")]
    rows = frame(row("n1", TEXT), row("n2", near[0]), row("n3", near[1], positive="q"), row("n4", near[2], anchor="b"))
    assert negforge.run(TITLE, rows, within=within).kept["id"].to_list() == ids


def test_a_near_copy_of_a_positive_stays_unless_asked() -> None:
    """A good negative is a near-copy of its positive by design; --against positives drops those of its own anchor's, by any row of it."""
    rows = frame(
        row("n1", TEXT.replace("cat", "hen"), positive=TEXT),
        row("n2", TEXT.replace("red", "blue"), positive="another positive of the anchor"),
        row("n3", TEXT.replace("red", "blue"), anchor="b", positive="a positive of another anchor"),
        row("n4", "a text of other words altogether", positive=TEXT),
        row("n5", TEXT.upper(), positive=TEXT),
    )
    assert drops(negforge.run(TITLE, rows, threshold=0.7, within="pair")) == {"n5": ("near-duplicate", f"n1 {17 / 23:.2f}")}
    found = {"n1": ("near-positive", f"{17 / 23:.2f}"), "n2": ("near-positive", f"{17 / 23:.2f}"), "n5": ("near-positive", "1.0")}
    assert drops(negforge.run(TITLE, rows, against="positives")) == found


def test_what_equals_after_normalising_goes_however_short() -> None:
    """Texts below three words, of other scripts and of no word at all are their own set; what differs in a sign is another text."""
    texts = ["five cats", "5 Cats!", "-5", "5", "...", "!!!", "…", "東京", "東 京", "京都", "C++", "C"]
    made = negforge.run(TITLE, frame(*(row(f"n{at:02d}", text) for at, text in enumerate(texts))))
    assert drops(made) == {f"n{at:02d}": ("near-duplicate", f"n{of:02d} 1.0") for at, of in ((1, 0), (6, 4), (8, 7))}


def test_scripts_without_blanks_are_compared_by_character() -> None:
    """One character of twenty changed leaves 15 of 21 shingles, in Chinese as in Thai."""
    rows = []
    for place, (text, old, new) in enumerate(
        (("北京是中华人民共和国的首都和政治文化中心", "政", "正"), ("กรงทพมหานครเปนเมองหล", "ม", "น"))
    ):
        rows += [row(f"n{place}0", text, anchor=str(place)), row(f"n{place}1", text.replace(old, new, 1), anchor=str(place))]
    made = drops(negforge.run(TITLE, frame(*rows)))
    assert {*made} == {"n01", "n11"}
    length = len("北京是中华人民共和国的首都和政治文化中心")
    assert made["n01"] == ("near-duplicate", f"n00 {(length - 5) / (length + 1):.2f}")


def words(rng: np.random.Generator, size: int) -> list[str]:
    """Drawn words."""
    return [f"w{one}" for one in rng.integers(0, 5_000, size)]


def edited(rng: np.random.Generator, text: list[str], edits: int) -> list[str]:
    """The words with some replaced."""
    made = list(text)
    for place in rng.choice(len(text), edits, replace=False):
        made[place] = f"x{rng.integers(0, 10**9)}"
    return made


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
def test_what_is_found_is_what_the_definition_says(threshold: float) -> None:
    """Of drawn pairs all below the threshold stay, and of those above it the share that was told goes."""
    rng = np.random.default_rng(5)
    pairs = []
    for size, edits in itertools.product((12, 40, 100), range(1, 9)):
        for _ in range(20):
            text = words(rng, size)
            pairs.append((" ".join(text), " ".join(edited(rng, text, edits))))
    rows = [row(f"n{at:04d}-{side}", text, anchor=str(at)) for at, pair in enumerate(pairs) for side, text in enumerate(pair)]
    made = drops(negforge.run(TITLE, frame(*rows), threshold=threshold))
    gone = {int(name[1:5]) for name in made}
    near = {at: value for at, pair in enumerate(pairs) if (value := jaccard(*pair)) >= threshold - 1e-9}
    assert gone <= {*near}
    expected = sum(minhash.bands_for(threshold).met(value) for value in near.values())
    assert expected - 4 * math.sqrt(max(expected * (1 - expected / len(near)), 1)) <= len(gone)
    assert {at: f"n{at:04d}-0 {round(near[at], 2)}" for at in gone} == {int(name[1:5]): value for name, (_, value) in made.items()}


def test_long_texts_are_estimated_by_their_least_shingles() -> None:
    """Texts beyond 130 words: the estimate is within four standard errors of the similarity."""
    rng = np.random.default_rng(6)
    for edits in (5, 40, 80):
        text = words(rng, 700)
        pair = " ".join(text), " ".join(edited(rng, text, edits))
        hashed = [minhash.hashed(pl.Series([one]), 128, "en") for one in pair]
        sides = [(one.cells, one.counts) for one in hashed]
        assert hashed[0].counts.tolist() == [minhash.LEAST]
        assert minhash.similarities(*sides)[0] == pytest.approx(jaccard(*pair), abs=4 * 0.5 / math.sqrt(minhash.LEAST))


def test_signatures_estimate_the_similarity_without_bias() -> None:
    """The share of agreeing slots has the mean and the spread of a binomial: multiplying by odd numbers orders shingles well enough."""
    rng = np.random.default_rng(7)
    pairs = [(text, edited(rng, text, 4)) for text in (words(rng, 40) for _ in range(400))]
    left, right = (minhash.hashed(pl.Series([" ".join(pair[side]) for pair in pairs]), 128, "en").minima for side in (0, 1))
    true = np.array([jaccard(" ".join(one), " ".join(other)) for one, other in pairs])
    error = (left == right).mean(axis=0) - true
    spread = np.sqrt((true * (1 - true) / 128).mean())
    assert abs(error.mean()) < 4 * spread / 20
    assert error.std() == pytest.approx(spread, rel=0.2)


def test_the_hash_is_our_own_and_fixed() -> None:
    """The same text gives the same numbers for ever: a change of these is a new version of the hash and of the operator."""
    hashed = minhash.hashed(pl.Series([TEXT, ""]), 64, "en")
    assert hashed.whole.tolist() == WHOLE
    assert hashed.minima[:3, 0].tolist() == MINIMA
    assert minhash.band_keys(hashed.minima, minhash.Bands(1, 3)).tolist() == KEYS


WHOLE = [11130669803321742480, 173883306212274492]
MINIMA = [237234516, 607552902, 840305759]
KEYS = [[17934547823007747661], [15526315622024622468]]


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7, 0.85, 0.95, 1])
def test_bands_follow_from_the_threshold(threshold: float) -> None:
    """The slots suffice, 95 % of pairs at the threshold are brought together, and one band fewer or one row more would not do that."""
    bands = minhash.bands_for(threshold)
    assert bands.bands * bands.rows <= minhash.SLOTS
    assert bands.met(threshold) >= minhash.RECALL
    assert minhash.Bands(bands.bands - 1, bands.rows).met(threshold) < minhash.RECALL
    assert bands.rows == minhash.SLOTS or minhash.Bands(minhash.SLOTS // (bands.rows + 1), bands.rows + 1).met(threshold) < minhash.RECALL
    assert bands.met(0.5) == pytest.approx(1 - (1 - 0.5**bands.rows) ** bands.bands)


@given(st.lists(st.text(st.sampled_from("aBc é-.,;:!?\"'()[]5 7+_/\t\n five東ï"), max_size=12), min_size=1, max_size=12))
def test_words_know_no_more_than_normalised_texts(texts: list[str]) -> None:
    """A text gives the words of its normalised form, though most are never normalised: what equals by `exact` equals here."""
    plain = pl.Series(texts, dtype=pl.String)
    one, other = (minhash.words(minhash.folded(given, "en"), marks=False) for given in (plain, normalised(plain)))
    assert one[1].tolist() == other[1].tolist()
    assert one[0].tolist() == other[0].tolist()


def test_twins_in_different_batches_are_found_and_the_order_is_all_the_same() -> None:
    """Near-copies split over batches go all the same (datajuicer/data-juicer#971), and the same rows whatever the order."""
    rng = np.random.default_rng(8)
    texts = [words(rng, 20) for _ in range(150)]
    rows = [row(f"n{copy}-{at:03d}", " ".join(edited(rng, text, int(copy > 0)))) for at, text in enumerate(texts) for copy in (0, 1, 2)]
    whole = frame(*rows)
    runs = [
        negforge.run(TITLE, given, batch_size=size, max_memory=memory)
        for given, size, memory in (
            (whole, 10_000, 10**9),
            (whole.reverse(), 3, 10**9),
            (whole.sample(fraction=1, shuffle=True, seed=3), 50, 2**17),
        )
    ]
    assert len({one.report.outcome.digests["dropped_digest"] for one in runs}) == 1
    assert {name.partition("-")[2] for name in runs[0].kept["id"]} == {f"{at:03d}" for at in range(150)}
    assert runs[0].dropped.height > 250


def test_a_crowd_of_like_texts_is_one_cluster() -> None:
    """A group of keys larger than all its pairs could be compared still comes together: equal texts by the thousand, and near ones."""
    rng = np.random.default_rng(9)
    text = words(rng, 40)
    rows = [row(f"n{at:04d}", " ".join(text if at % 2 else edited(rng, text, 2))) for at in range(600)]
    made = negforge.run(TITLE, frame(*rows))
    assert made.kept["id"].to_list() == ["n0000"]


def test_rows_of_a_chain_go_with_the_similarity_to_the_one_that_stays() -> None:
    """Pairs that are near make a cluster: its far ends may be below the threshold, and the value says so."""
    text = [f"w{at}" for at in range(24)]
    chain = [" ".join(f"v{place}" if place < 2 * step else word for place, word in enumerate(text)) for step in range(6)]
    made = drops(negforge.run(TITLE, frame(*(row(f"n{at}", one) for at, one in enumerate(chain)))))
    assert {*made} == {f"n{at}" for at in range(1, 6)}
    assert made["n5"] == ("near-duplicate", f"n0 {round(jaccard(chain[0], chain[5]), 2)}")
    assert jaccard(chain[0], chain[5]) < 0.5


def test_best_score_needs_one() -> None:
    """Where there is no score, or several, the mend names what there is; --by alone means nothing."""
    rows = frame({**row("n1", TEXT), "score_a": 1.0, "score_b": 2.0})
    with pytest.raises(InputError, match="several scores"):
        negforge.run(TITLE, rows, keep="best-score")
    with pytest.raises(InputError, match="no score"):
        negforge.run(TITLE, rows.drop("score_a", "score_b"), keep="best-score")
    with pytest.raises(InputError, match="no column of numbers 'score_c'"):
        negforge.run(TITLE, rows, keep="best-score", by="score_c")
    with pytest.raises(UsageError, match="--by score_a is for --keep best-score"):
        negforge.run(TITLE, rows, by="score_a")


def test_command_line(tmp_path: Path) -> None:
    """Rows on stdout; counts, bands and what share of which pairs is found on stderr (ChenghaoMou/text-dedup#88)."""
    frame(row("n1", TEXT), row("n2", TEXT.replace("cat", "hen"))).write_parquet(tmp_path / "rows.parquet")
    result = CliRunner().invoke(app, ["dedupe", "near", str(tmp_path / "rows.parquet"), "--to", "jsonl", "--threshold", "0.7"])
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 1), result.stderr
    assert "seen 2, kept 1, dropped 1: near-duplicate 1 (rows)" in result.stderr
    assert "estimated recall: 95.6% of the pairs of similarity 0.7 (17 bands of 5 slots, MinHash 1)" in result.stderr
    assert "pairs compared, by similarity: 0.2 0.5%, 0.3 4.1%" in result.stderr


def test_a_run_that_was_broken_off_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows hashed before the break are not hashed again, and the same rows go."""
    from negforge.api import MemorySink
    from negforge.journal import Journal
    from negforge.runner import run_stage, stage_of

    rng = np.random.default_rng(10)
    texts = [words(rng, 20) for _ in range(40)]
    table = frame(*(row(f"n{at}-{copy}", " ".join(edited(rng, text, copy))) for at, text in enumerate(texts) for copy in (0, 1)))
    stage, _ = stage_of(TITLE, [table], {"batch_size": 10, "against": "positives"})
    assert stage is not None
    whole = stage.operator.module.keys
    called: list[int] = []

    def keys(batch: Any, **options: Any) -> pl.DataFrame:
        if len(called) == 5:
            raise KeyboardInterrupt
        called.append(len(batch))
        made: pl.DataFrame = whole(batch, **options)
        return made

    monkeypatch.setattr(stage.operator.module, "keys", functools.wraps(whole)(keys))
    with pytest.raises(KeyboardInterrupt):
        run_stage(stage, lambda kind, _: MemorySink(kind), journal=Journal(tmp_path))
    monkeypatch.undo()
    again = Journal(tmp_path)
    assert again.rows == 50
    report = run_stage(stage, lambda kind, _: MemorySink(kind), journal=again)
    assert report.outcome.digests == negforge.run(TITLE, table, against="positives").report.outcome.digests
    assert report.counts["dropped"] == {"near-duplicate": 40}


def test_real_labels_go_as_the_definition_says(real_data: Path) -> None:
    """Of 13,895 skill labels no row goes that is near none, and nearly no near pair stays whole, against all pairs that share a shingle."""
    labels = [line for line in (real_data / "skill_extraction" / "skills_en_label.txt").read_text(encoding="utf-8").splitlines() if line]
    made = negforge.run(TITLE, frame(*(row(f"n{at}", label) for at, label in enumerate(labels))), within="table")
    texts = normalised(pl.Series(labels)).to_list()
    sharing: dict[tuple[str, ...], list[int]] = {}
    for at, text in enumerate(texts):
        for one in shingles(text):
            sharing.setdefault(one, []).append(at)
    pairs = {pair for group in sharing.values() for pair in itertools.combinations(group, 2) if jaccard(*(texts[at] for at in pair)) >= 0.5}
    kept = {int(name[1:]) for name in made.kept["id"]}
    assert {int(name[1:]) for name in made.dropped["id"]} <= {at for pair in pairs for at in pair}
    assert sum({*pair} <= kept for pair in pairs) < 0.08 * len(pairs)
    assert made.dropped.height > 100

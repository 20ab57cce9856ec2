"""Ids, digests and draws: pinned values, and the same whatever way a column lies in memory."""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import itertools
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from negforge import rng
from tests import strategies  # noqa: F401 - sets hypothesis up

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
TEXTS = st.lists(
    st.one_of(st.none(), st.text(max_size=40), st.sampled_from(["", "\0", "\0\0", "a\0", "😀", "é" * 9, "x" * 5000])), max_size=30
)

PINNED = [
    ("", "952f14f1e8ddc491399cb48bc72e8d68"),
    ("a", "b5ac7d5b1ea642559c96a767d403f4b7"),
    ("negforge", "86bdea05d4e1f04f7eca6cb63e7e3131"),
    ("exactly8", "68480f4065a4c090681c9bba2bcbd421"),
    ("nine char", "8dda0c03ec6203670cedceba230858d0"),
    ("a\0", "b59c8958ce730ec15308d0890104f54b"),
    ("é😀", "fd3f3760596daea99dc68a1e2312b4dd"),
    (None, "6e756c6c000000016e756c6c00000002"),
    ("x" * 100, "404ab309d74440e467882d8858ae822b"),
]


def column(values: list[Any], dtype: Any = pl.String) -> pl.Series:
    return pl.Series("x", values, dtype=dtype)


def hexed(lanes: rng.Lanes) -> list[str]:
    return rng.hex128(lanes).to_list()


def mixed(value: int) -> int:
    """The finaliser of splitmix64, by its formula."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def by_formula(text: str | None) -> str:
    """The hash of one text, word by word in plain Python."""
    if text is None:
        return "6e756c6c000000016e756c6c00000002"
    data = text.encode()
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]
    lanes = []
    for factor, size_key in ((0xD1342543DE82EF95, 0x2545F4914F6CDD1D), (0xDABA0B6EB09322E3, 0x8CB92BA72F3D8DD7)):
        total = sum(mixed((word * factor + (place + 1) * GOLDEN) & MASK) for place, word in enumerate(words))
        lanes.append(mixed((total & MASK) ^ (((len(data) + 1) * size_key) & MASK)))
    return "".join(f"{lane:016x}" for lane in lanes)


# -- pinned values: a change here changes published ids ------------------------------------------------------------------


def test_the_hash_of_a_text_is_pinned() -> None:
    """No refactor and no upgrade of a library changes the 128-bit hash of a text."""
    assert hexed(rng.strings128(column([text for text, _ in PINNED]))) == [digest for _, digest in PINNED]
    assert [f"{value:016x}" for value in rng.hash64(column([text for text, _ in PINNED])).tolist()] == [digest[:16] for _, digest in PINNED]


def test_ids_of_negatives_are_pinned() -> None:
    """The id of a negative is a fixed function of source id, operator, options, seed and draw; -1 is a refusal's draw."""
    ids = rng.negative_ids(
        column(["q1-d1", "q1-d1", "é"]), operator="perturb.number", options_digest="00" * 16, seed=0, draws=np.array([0, 1, -1])
    )
    assert ids.to_list() == ["de59c53fc05d2931cbfdfc71bfa97365", "e048f4e48069977e7ed678d362411f7a", "a5b828fcffd198d84c803d30f7a2ee50"]


def test_ids_of_records_are_pinned() -> None:
    """A row that brings no id gets the blake2b digest of its kind and length-prefixed content."""
    pairs = rng.record_ids("pairs", [column(["a", "é"]), column(["b", ""])])
    assert pairs.to_list() == ["6f25d09bed23cf1a4263e78668126f63", "850693aaf23fad664f75ad914bb98d92"]
    concepts = rng.record_ids("concepts", [column(["n"]), pl.Series([["p", "q"]])])
    assert concepts.to_list() == ["12b9f71408ecbc0d36bb4f4ff8526e98"]
    graphs = rng.record_ids("graphs", [column(["n"]), pl.Series([[{"head": "a", "relation": "r", "tail": "ü"}]])])
    assert graphs.to_list() == ["9523a665a1754f6f39fb12b405ca0875"]
    parts = b"".join(len(part).to_bytes(8, "little") + part for part in (b"pairs", b"a", b"b"))
    assert pairs[0] == hashlib.blake2b(parts, digest_size=16).hexdigest()


def test_ids_of_anchors_are_pinned() -> None:
    """An anchor that brings no id gets the blake2b digest of its exact text, and null gets none."""
    assert rng.text_ids(column(["a", "é😀", "", None])).to_list() == [
        "fc9c942180a48b1bfa36938828a429dc",
        "338da14ef5d7f0f6973ba195291ba9e4",
        "c804ce198ec337e3dc762bdd1a09aece",
        None,
    ]
    assert rng.blake("a") == "fc9c942180a48b1bfa36938828a429dc"


def test_digests_of_settings_are_pinned() -> None:
    """Parts are told apart by their lengths, and the order of a JSON object's keys does not matter."""
    assert rng.blake("ab", "c") == "4826ed043ab3cdec576d8541fa5d5a80"
    assert rng.blake("a", "bc") == "f14abc19c330e936bb9c8506d69bac9b"
    assert rng.json_digest({"b": 1, "a": [1.5, None, "é"]}) == "03339c93d5cd0dca7e97ceca9ccabb22"
    assert rng.json_digest({"a": [1.5, None, "é"], "b": 1}) == "03339c93d5cd0dca7e97ceca9ccabb22"


def test_draws_are_pinned() -> None:
    """Bits, integers, shuffles and streams of a row are fixed by seed, operator and row id."""
    drawn = rng.Rng(7, "perturb.number")
    ids = column(["a", "b"])
    assert [f"{bits:016x}" for bits in drawn.bits(ids).tolist()] == ["6ee80795f853980c", "4f2e997e51f4ae93"]
    assert [f"{bits:016x}" for bits in drawn.bits(ids, draw=3).tolist()] == ["8e389290f63a0902", "b02af9a021524f38"]
    assert drawn.integers(ids, 4, 1000).tolist() == [[928, 30, 895, 18], [714, 790, 340, 129]]
    assert drawn.integers(ids, 2, np.array([10, 10**12])).tolist() == [[8, 0], [356530889714, 98784426790]]
    assert drawn.shuffled("a", range(8)) == [5, 0, 4, 1, 3, 6, 2, 7]
    assert drawn.shuffled("b", range(8)) == [3, 4, 5, 0, 7, 1, 2, 6]
    assert [f"{bits:016x}" for bits in itertools.islice(drawn.stream("a"), 3)] == [
        "7bee691276eea10f",
        "5b495a89898f5db8",
        "e16de5e74671540c",
    ]


def test_hashes_of_rows_are_pinned() -> None:
    """Digests over text, numbers, lists and records are ours to the last bit, not a library's JSON."""
    frame = pl.DataFrame({"a": ["x", None], "b": [1, 2], "c": [["p", "q"], []], "d": [{"k": 1.5}, None]})
    assert hexed(rng.frame_lanes(frame, ["a", "b", "missing"])) == ["f3b8e7c5ce84c8c3b73f6c66b90ae693", "c2bd9323e4b7cf80b29f385f11911f4f"]
    assert hexed(rng.frame_lanes(frame, ["c", "d"])) == ["82f8aa603ce2dbfd117e5c89e63fa700", "b9b0cc5658ef99975e44c8dfdf8268fc"]
    assert [f"{value:016x}" for value in rng.row_hashes(frame).tolist()] == ["e258a73bdff91871", "0cb79877585cf9bb"]
    assert f"{rng.total128(rng.frame_lanes(frame, ['a', 'b'])):032x}" == "423ebac4b50d28c79995744c2112c17c"


# -- the hash of a column ----------------------------------------------------------------------------------------------


@given(TEXTS)
def test_the_hash_follows_its_formula(texts: list[str | None]) -> None:
    """The vectorised hash of a column equals the formula worked out word by word."""
    assert hexed(rng.strings128(column(texts))) == [by_formula(text) for text in texts]


@given(TEXTS, st.integers(0, 30), st.integers(0, 30))
def test_the_hash_is_blind_to_memory_layout(texts: list[str | None], start: int, size: int) -> None:
    """A slice, several chunks and another text type hash as the values alone do."""
    whole = hexed(rng.strings128(column(texts)))
    assert hexed(rng.strings128(column(texts)[start : start + size])) == whole[start : start + size]
    chunked = pl.concat([column(texts[:start]), column(texts[start:])], rechunk=False)
    assert hexed(rng.strings128(chunked)) == whole
    assert hexed(rng.strings128(pl.Series(pa.array(texts, pa.string())))) == whole
    assert hexed(rng.strings128(column(texts).cast(pl.Categorical))) == whole


def test_long_columns_are_cut_into_pieces_without_a_seam() -> None:
    """Rows beside the piece borders, and a row larger than a piece, hash as they do alone."""
    texts = ["short", "y" * (9 << 17), "", "z" * ((8 << 17) - 3), *(f"text {number}" * 20 for number in range(20_000))]
    together = hexed(rng.strings128(column(texts)))
    for place in (0, 1, 2, 3, 4, 5, 10_000, 20_003):
        assert together[place] == by_formula(texts[place])


def test_null_empty_and_trailing_nuls_differ() -> None:
    """Null is not the empty text, and a NUL at the end counts."""
    assert len(set(hexed(rng.strings128(column([None, "", "\0", "\0\0", "a", "a\0", "a\0\0\0\0\0\0\0", "a\0\0\0\0\0\0\0\0"]))))) == 8


def test_no_two_of_200_000_ids_collide() -> None:
    """Numbered, near-equal ids have distinct 64-bit and 128-bit hashes."""
    ids = column([f"q{number // 20}-d{number}" for number in range(200_000)])
    high, low = rng.strings128(ids)
    assert len(np.unique(high)) == len(np.unique(low)) == len(ids)
    made = rng.negative_ids(ids, operator="mine.bm25", options_digest="ab" * 16, seed=1, draws=np.zeros(len(ids), dtype=np.int64))
    assert made.n_unique() == len(ids)


# -- whole rows --------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, MASK), st.integers(0, MASK)), max_size=50))
def test_the_total_is_a_sum_of_128_bit_numbers(values: list[tuple[int, int]]) -> None:
    """Adding up in halves equals Python's sum modulo 2^128."""
    lanes = (np.array([high for high, _ in values], dtype=np.uint64), np.array([low for _, low in values], dtype=np.uint64))
    assert rng.total128(lanes) == sum((high << 64) + low for high, low in values) % (1 << 128)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=20), st.lists(st.text(max_size=8), min_size=1, max_size=20))
def test_the_order_of_columns_counts(left: list[str], right: list[str]) -> None:
    """(a, b) and (b, a) hash apart unless they are the same cells."""
    size = min(len(left), len(right))
    frame = pl.DataFrame({"a": left[:size], "b": right[:size]})
    there, back = hexed(rng.frame_lanes(frame, ["a", "b"])), hexed(rng.frame_lanes(frame, ["b", "a"]))
    assert [one != other for one, other in zip(there, back, strict=True)] == [one != other for one, other in frame.rows()]


def test_a_column_that_is_not_there_counts_as_null() -> None:
    """A frame without an optional column has the digest of one where it is null throughout."""
    without = pl.DataFrame({"a": ["x", "y"]})
    null = without.with_columns(pl.lit(None, pl.String).alias("b"))
    assert hexed(rng.frame_lanes(without, ["a", "b"])) == hexed(rng.frame_lanes(null, ["a", "b"]))


NESTED: list[tuple[Any, Any]] = [
    ([["a", "b"], ["b", "a"], ["ab"], [], None, [None], ["", ""], [""], ["a"]], pl.List(pl.String)),
    ([[["a"], ["b"]], [["a", "b"]], [[], ["a", "b"]], [["a", "b"], []], [[]], []], pl.List(pl.List(pl.String))),
    ([{"k": 1, "l": None}, {"k": None, "l": 1}, {"k": None, "l": None}, None, {"k": 1, "l": 1}], pl.Struct({"k": pl.Int64, "l": pl.Int64})),
    ([[{"k": [1]}], [{"k": []}], [{"k": None}], [None], []], pl.List(pl.Struct({"k": pl.List(pl.Int64)}))),
    ([b"\xff", b"", None, b"\xff\0"], pl.Binary),
    ([[1, 2], [2, 1], None], pl.Array(pl.Int64, 2)),
    ([dt.timedelta(seconds=1), dt.timedelta(0), None], pl.Duration("us")),
    ([decimal.Decimal("1.50"), decimal.Decimal("1.51"), None], pl.Decimal(10, 2)),
    ([1.5, float("nan"), float("inf"), float("-inf"), None, 0.0], pl.Float64),
    ([dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2020, 1, 2, tzinfo=dt.UTC), None], pl.Datetime("us", "UTC")),
    ([True, False, None], pl.Boolean),
]


@pytest.mark.parametrize(("values", "dtype"), NESTED, ids=[str(dtype) for _, dtype in NESTED])
def test_every_type_of_cell_has_a_hash(values: list[Any], dtype: Any) -> None:
    """Distinct cells of any type hash apart, and one by one as together."""
    frame = column(values, dtype).to_frame()
    whole = hexed(rng.frame_lanes(frame, ["x"]))
    assert len(set(whole)) == len(values)
    assert [hexed(rng.frame_lanes(frame[place : place + 1], ["x"]))[0] for place in range(len(values))] == whole
    backwards = hexed(rng.frame_lanes(frame.reverse(), ["x"]))
    assert backwards == whole[::-1]
    assert len(np.unique(rng.row_hashes(frame))) == len(values)


def test_maps_and_empty_records_have_a_hash() -> None:
    """A map column and a record without fields, which Parquet and Arrow files may hold, do not stop a digest."""
    maps = pl.DataFrame(pl.from_arrow(pa.table({"x": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64()))})))
    assert len(set(hexed(rng.frame_lanes(maps, ["x"])))) == 3
    assert len(set(hexed(rng.frame_lanes(pl.DataFrame({"x": pl.Series([{}, None], dtype=pl.Struct({}))}), ["x"])))) == 2
    assert hexed(rng.frame_lanes(pl.DataFrame({"x": [None, None]}), ["x"])) == hexed(rng.frame_lanes(pl.DataFrame(height=2), ["x"]))


def test_the_hash_of_a_whole_row_is_blind_to_column_order_and_nulls() -> None:
    """Two frames with the same cells under the same names agree, in any order of columns, absent or null."""
    one = pl.DataFrame({"a": ["x", "y"], "b": [1, None]})
    other = pl.DataFrame({"c": [None, None], "b": [1, None], "a": ["x", "y"]})
    assert rng.row_hashes(one).tolist() == rng.row_hashes(other).tolist()
    moved = pl.DataFrame({"b": ["x", "y"], "a": [1, None]})
    assert (rng.row_hashes(one) != rng.row_hashes(moved)).all()


def test_known_hashes_of_columns_are_taken() -> None:
    """A memo of column hashes changes no digest, and is filled for the next call."""
    frame = pl.DataFrame({"a": ["x", "y"], "b": [["p"], []]})
    known: dict[str, rng.Lanes] = {}
    assert hexed(rng.frame_lanes(frame, ["a", "b"], known)) == hexed(rng.frame_lanes(frame, ["a", "b"]))
    assert known.keys() == {"a", "b"}
    assert rng.row_hashes(frame, known).tolist() == rng.row_hashes(frame).tolist()


# -- draws -------------------------------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=6), min_size=1, max_size=30), st.integers(0, 5), st.integers(1, 5), st.integers(1, 10**9))
def test_draws_do_not_depend_on_the_batch(ids: list[str], seed: int, count: int, high: int) -> None:
    """A row draws the same numbers alone, in a batch and in another order."""
    drawn = rng.Rng(seed, "x")
    together = drawn.integers(column(ids), count, high)
    assert ((together >= 0) & (together < high)).all()
    for place, row_id in enumerate(ids):
        assert drawn.integers(column([row_id]), count, high)[0].tolist() == together[place].tolist()
    assert drawn.bits(column(ids[::-1])).tolist() == drawn.bits(column(ids)).tolist()[::-1]


@given(st.text(max_size=6), st.lists(st.integers(), max_size=12))
def test_a_shuffle_keeps_the_items(row_id: str, items: list[int]) -> None:
    """Shuffling gives back the same items, the same way each time, and leaves the given list alone."""
    before = list(items)
    drawn = rng.Rng(0, "x")
    assert sorted(drawn.shuffled(row_id, items)) == sorted(items)
    assert drawn.shuffled(row_id, items) == drawn.shuffled(row_id, iter(items))
    assert items == before


def test_seed_operator_row_and_draw_each_change_the_bits() -> None:
    """No part of the key is left out."""
    ids = column(["a", "b"])
    found = [rng.Rng(seed, name).bits(ids, draw).tolist() for seed in (0, 1) for name in ("x", "y") for draw in (0, 1)]
    assert len({bits for pair in found for bits in pair}) == 16


def test_integers_are_even() -> None:
    """Over 70,000 rows each of 7 values comes up about as often, in each draw, and draws do not follow one another."""
    drawn = rng.Rng(3, "x").integers(column([str(number) for number in range(70_000)]), 3, 7)
    for place in range(3):
        counts = np.bincount(drawn[:, place], minlength=7)
        assert abs(counts - 10_000).max() < 450  # 4.9 standard deviations
    both = np.bincount(drawn[:, 0] * 7 + drawn[:, 1], minlength=49)
    assert abs(both - 70_000 / 49).max() < 190


def test_shuffles_are_even() -> None:
    """Each of the 24 orders of four items comes up about as often."""
    drawn = rng.Rng(3, "x")
    orders = [tuple(drawn.shuffled(str(number), "abcd")) for number in range(24_000)]
    counts = [orders.count(order) for order in itertools.permutations("abcd")]
    assert max(abs(count - 1000) for count in counts) < 160  # five standard deviations


@pytest.mark.parametrize("high", [0, -3, np.array([5, 0])])
def test_nothing_is_drawn_below_zero_or_less(high: Any) -> None:
    """A range without a number in it is refused, not drawn from."""
    with pytest.raises(ValueError, match="at least 1"):
        rng.Rng(0, "x").integers(column(["a", "b"]), 2, high)


@settings(max_examples=30)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=10), st.data())
def test_ids_of_negatives_depend_on_their_parts_alone(ids: list[str], data: st.DataObject) -> None:
    """A negative's id is the same in any batch, and another for another draw, seed, operator or options."""
    draws = np.array(data.draw(st.lists(st.integers(-1, 5), min_size=len(ids), max_size=len(ids))), dtype=np.int64)

    def made(rows: slice, *, operator: str = "x", options: str = "00" * 16, seed: int = 0, step: int = 0) -> list[str]:
        return rng.negative_ids(column(ids[rows]), operator=operator, options_digest=options, seed=seed, draws=draws[rows] + step).to_list()

    whole = made(slice(None))
    assert [made(slice(place, place + 1))[0] for place in range(len(ids))] == whole
    first = slice(0, 1)
    others = [
        made(first, operator="y"),
        made(first, options="01" + "00" * 15),
        made(first, seed=1),
        made(first, step=1),
        made(first),
    ]
    assert len({one[0] for one in others}) == 5

"""What makes a text degenerate, measured: worked cases in several scripts, and the definitions written out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from negforge import degeneration
from negforge.degeneration import copied, folded, looped, measured
from tests import strategies
from tests.perturbed import LONG, ODD

SOME = st.lists(st.sampled_from("a b c 我 们".split()), max_size=24).map(" ".join)


@pytest.mark.parametrize(
    ("text", "repeated", "loop", "distinct"),
    [
        ("the cat sat on the mat", 0, 0, 5 / 6),
        ("no no no", 0, 0, 1 / 3),  # one run of three words, which stood nowhere before
        ("no no no no no", 2 / 3, 1, 1 / 5),
        ("so it goes. So it goes, so it goes", 4 / 7, 1, 1 / 3),
        ("well so it goes so it goes so it goes then", 4 / 9, 9 / 11, 5 / 11),
        ("so it goes so it goes and on", 1 / 6, 0, 5 / 8),
        ("", 0, 0, None),
        ("...", 0, 0, None),
        ("我们走吧我们走吧我们走吧", 6 / 10, 1, 4 / 12),
        ("我们今天去公园", 0, 0, 1),
        ("สวสวสวสวส", 5 / 7, 1, 2 / 9),
    ],
)
def test_worked_cases(text: str, repeated: float, loop: float, distinct: float | None) -> None:
    """By hand, in words and in characters."""
    found = measured(text)
    assert found.repeated == pytest.approx(repeated)
    assert found.loop == pytest.approx(loop)
    assert found.distinct == distinct


@pytest.mark.parametrize(
    ("text", "ended"), [("It is so.", True), ('"Is it?"', True), ("It is", False), ("走吧。", True), ("", False), ("(so.) ", True)]
)
def test_what_ends_as_a_sentence(text: str, ended: bool) -> None:
    """A closing quote or bracket may follow the mark."""
    assert measured(text).ended is ended


def test_copied_is_the_share_of_runs_that_stand_in_the_source() -> None:
    """By hand; a text of fewer than three words is one run."""
    assert copied("the cat sat down", "The cat sat up!") == 1 / 2
    assert copied("Paris", "paris") == 1
    assert copied("Paris", "in Paris it rains") == 0
    assert copied("...", "x") is None


def naive_loop(found: list[str]) -> int:
    """The longest stretch that some unit of it, said three times or more and maybe begun again, makes up."""
    longest = 0
    for start in range(len(found)):
        for end in range(start + 5, len(found) + 1):
            some = found[start:end]
            for unit in range(1, len(some) // 3 + 1):
                if all(some[place] == some[place % unit] for place in range(len(some))):
                    longest = max(longest, len(some))
    return longest


@settings(max_examples=300)
@given(st.one_of(SOME, strategies.texts.map(lambda text: text[:80]), st.sampled_from(ODD)))
def test_a_loop_is_the_longest_by_definition(text: str) -> None:
    """Against every stretch and every unit tried."""
    found = folded(text)
    assert looped(found) == (pytest.approx(naive_loop(found) / len(found)) if found else 0)
    assert measured(text).loop == looped(found)
    assert 0 <= measured(text).repeated <= 1


def test_a_very_long_text() -> None:
    """A megabyte that says one sentence again and again is one loop."""
    found = measured(LONG)
    assert found.loop == 1
    assert found.repeated > 0.99
    assert found.distinct == 11 / degeneration.WINDOW

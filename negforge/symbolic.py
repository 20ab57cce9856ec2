"""Whether two answers in LaTeX are equal, by an algebra system. Only for a process that can be killed: see `negforge.killable`.

Needs the extra `math`. Nothing here is evaluated as Python.
"""

from __future__ import annotations

import re
from typing import Any

# Letters side by side are a word or a product of variables: who knows.
_WORDS = re.compile(r"[^\W\d_]{2,}")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_POINTS = ("7/10", "13/9", "23/7", "31/11")
_FAR, _FAR_ROUNDED = 1e-9, 1e-2


def ready() -> None:
    """Load and warm up what takes a second, once."""
    equal("\\sqrt{8}", "2\\sqrt{2}")


def equal(one: str, other: str) -> str:
    """`positive` where both are equal, `negative` where their difference is not zero, else `unknown`.

    Expressions with the same variables differ where they differ at a point. Of sets, equations and words only equality is told.
    """
    import math_verify

    if any(_WORDS.search(_COMMAND.sub(" ", text)) for text in (one, other)):
        return "unknown"
    left, right = _parsed(one), _parsed(other)
    if left is None or right is None:
        return "unknown"
    if math_verify.verify([left], [right], strict=True, timeout_seconds=None, raise_on_error=True):
        return "positive"
    return "negative" if _differ(left, right) else "unknown"


def _parsed(text: str) -> Any:
    import math_verify
    import sympy

    config = math_verify.LatexExtractionConfig()
    found = math_verify.parse(f"${text}$", [config], fallback_mode="no_fallback", parsing_timeout=None, raise_on_error=True)
    return next((one for one in found if isinstance(one, sympy.Basic)), None)


def _differ(left: Any, right: Any) -> bool:
    import sympy

    if not (isinstance(left, sympy.Expr) and isinstance(right, sympy.Expr)) or left.free_symbols != right.free_symbols:
        return False
    names = sorted(left.free_symbols, key=str)
    # A decimal may be a rounded value of the other.
    far = _FAR_ROUNDED if left.has(sympy.Float) or right.has(sympy.Float) else _FAR
    for point in _POINTS if names else _POINTS[:1]:
        values = {name: sympy.Rational(point) + place for place, name in enumerate(names)}
        here, there = (sympy.N(side.subs(values), 30) for side in (left, right))
        gap = here - there
        if gap.is_number and gap.is_finite and abs(gap) > far * max(1, abs(here), abs(there)):
            return True
    return False

"""Keep the rows for which an expression over their columns holds, such as `score_overlap < 0.8 AND length(negative) > 20`.

The expression is SQL, as Polars reads it: comparisons, AND, OR, NOT, IN, LIKE, BETWEEN, CASE, arithmetic, and functions of
texts and lists (`lower`, `starts_with`, `regexp_like`, `array_contains(evidence, 'edit')`). A column named like a word of
SQL stands in double quotes ("group"), a text in single ones, a field after a dot (`edit.start`). Rows of every label are
tested: to spare some, say so (`label <> 'negative' OR rank > 10`).

It may look at one row and at nothing else: aggregates, windows, subqueries and the clock are refused, since rows would
then depend on how they are batched or on the day.
Source: FlagOpen/FlagEmbedding#1130 (thresholds by score, not only by rank); pola-rs/polars, SQL expressions.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Annotated, Any

import polars as pl
from pydantic import AfterValidator, Field

from negforge.contract import Declares, drops
from negforge.errors import InputError, did_you_mean, listed
from negforge.records import Negatives

DECLARES = Declares(version=1, scope="row", reads=Negatives)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_CLOCK = re.compile(r"(?i)\b(now\s*\(|current_(?:date|time|timestamp)\b|local(?:time|timestamp)\b)")
# Of what Polars makes of SQL, the nodes and functions whose answer for a row needs that row alone. Others are refused, new
# ones too; so is `Strptime`, which without a format takes that of the first text it meets.
_NODES = {
    "BinaryExpr": ("left", "right"),
    "Ternary": ("predicate", "truthy", "falsy"),
    "Cast": ("expr",),
    "Function": ("input",),
    "Eval": ("expr",),  # of a list's own elements
}
_FAMILIES = {"Bitwise", "ListExpr", "Pow", "StringExpr", "StructExpr", "TemporalExpr", "Trigonometry"}
_FUNCTIONS = {
    *("Abs", "Ceil", "Exp", "Floor", "Log", "Log1p", "Round", "Sign", "Truncate", "Atan2"),
    *("Coalesce", "FillNull", "MaxHorizontal", "MinHorizontal"),
    *("Boolean.IsFinite", "Boolean.IsInfinite", "Boolean.IsNan", "Boolean.IsNotNan"),
    *("Boolean.IsNotNull", "Boolean.IsNull", "Boolean.Not", "Sql.Binary", "Sql.IsIn", "Sql.Round", "Sql.ToFloat"),
}
_REFUSED = {
    "Agg": "an aggregate",
    "Filter": "an aggregate",
    "Len": "a count of rows",
    "Over": "a window (OVER)",
    "SubPlan": "a subquery",
    "Explode": "UNNEST",
    "Selector": "COLUMNS, or a name that stands for several",
    "Range": "a count of rows",
    "StringExpr.Strptime": "a date read from text",
}


_LONGEST = 4000  # Polars' parser calls itself for each part: a very long expression would end the process


def _checked(keep: str) -> str:
    """The expression; ValueError if it is none, or one whose answer for a row needs more than the row."""
    if len(keep) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST:,} characters; many values go into a list: rank IN (1, 2, 3)")
    # Polars opens the files and addresses that a subquery names while it parses. Where our idea of a quoted text and its own may
    # differ, the words count within quotes too.
    bare = keep if re.search(r"[\\$`#]|--|/\*", keep) else _QUOTED.sub("''", keep)
    if re.search(r"(?i)\bselect\b|\bread_\w+\s*\(", bare):
        raise ValueError("may look at the columns of one row only, and has a subquery")
    try:
        tree = json.loads(pl.sql_expr(keep).meta.serialize(format="json"))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ValueError(f"is not an expression of SQL: {_first_line(error)}") from None
    except RecursionError:
        raise ValueError("has too many parts; many values go into a list: rank IN (1, 2, 3)") from None
    clock = _CLOCK.search(_QUOTED.sub("''", keep))
    found = f"the clock ({clock[1].rstrip('(').strip()})" if clock else _beyond_the_row(tree)
    if found:
        raise ValueError(f"may look at the columns of one row only, and has {found}")
    compared = re.search(r"(?i)\b(?:initial_)?label\s*(?:=|==|!=|<>)\s*(\"?)(negative|positive|unknown)\1(?![\w.])", keep)
    if compared:
        raise ValueError(f"compares the label with a column '{compared[2]}'; a text stands in single quotes: label = '{compared[2]}'")
    if not pl.sql_expr(keep).meta.root_names():
        raise ValueError(f"names no column: {keep}")
    return keep


def _beyond_the_row(node: Any) -> str:
    """What in the tree of an expression needs other rows, in words; nothing where the row is enough."""
    name, inside = next(iter(node.items())) if isinstance(node, dict) else (str(node), {})
    if name == "Alias":
        return _beyond_the_row(inside[0])
    if name == "Column" and re.fullmatch(r"\^.*\$|\*", str(inside), re.DOTALL):
        return _REFUSED["Selector"]
    if name in ("Column", "Literal"):
        return ""
    if name not in _NODES:
        return _REFUSED.get(name, name)
    if name == "Function":
        function = _function(inside["function"])
        family = function.partition(".")[0]
        if (function not in _FUNCTIONS and family not in _FAMILIES) or function in _REFUSED:
            return _REFUSED.get(function, f"the function {function}")
        # A column on the right is the set of all its values.
        if function == "Sql.IsIn" and "Column" in json.dumps(inside["input"][1:]):
            return "ANY of a column"
    parts = [inside[key] for key in _NODES[name]]
    children = parts[0] if name == "Function" else parts
    return next((found for child in children if (found := _beyond_the_row(child))), "")


def _function(named: Any) -> str:
    """The name of a function with its family, such as `StringExpr.LenChars`."""
    if isinstance(named, str):
        return named
    family, inside = next(iter(named.items()))
    inner = inside if isinstance(inside, str) else next(iter(inside), "") if isinstance(inside, dict) else ""
    return f"{family}.{inner}" if family in _FAMILIES | {"Boolean", "Sql"} else family


@functools.cache
def _expression(keep: str) -> pl.Expr:
    return pl.sql_expr(keep).alias("verdict")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].strip()


def filter(  # noqa: A001 - an operator's function is named after its verb
    batch: Negatives,
    *,
    keep: Annotated[
        str,
        Field(description="What a row must satisfy to stay: an SQL expression over its columns.", examples=["length(negative) > 20"]),
        AfterValidator(_checked),
    ],
) -> pl.DataFrame:
    """Drop rows for which the expression is not true as `where`, with its verdict, `false` or `null`, as the value.

    batch: n rows. NaN is above every number. Raises InputError for a column that is not there, for an expression that is
    not true or false, and where a value cannot be compared or cast.
    """
    frame, expression = batch.frame, _expression(keep)
    unknown = [name for name in expression.meta.root_names() if name not in frame.columns]
    if unknown:
        mend = did_you_mean(unknown[0], frame.columns, "a text stands in single quotes, a column bare or in double quotes")
        raise InputError(f"there is no column '{unknown[0]}' to keep by", f"the table has {listed(frame.columns, 30)}", mend)
    try:
        verdict = frame.select(expression).to_series()
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"--keep cannot be computed: {_first_line(error)}", keep, "compare like with like; TRY_CAST(column AS INT) gives null"
        ) from None
    if verdict.dtype != pl.Boolean:
        raise InputError(f"--keep gives {str(verdict.dtype).lower()}, not true or false", keep, "compare it with something")
    lost = ~verdict.fill_null(value=False)
    value = pl.when(verdict.is_null()).then(pl.lit("null")).otherwise(pl.lit("false"))
    reasons = pl.select(pl.when(lost).then(pl.lit("where")).alias("reason"), pl.when(lost).then(value).alias("value"))
    return drops(reasons["reason"], reasons["value"])

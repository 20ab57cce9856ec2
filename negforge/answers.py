"""What an operator answers, checked: a wrong answer is told as the operator's fault, with what it should have been."""

from __future__ import annotations

import contextlib
import errno
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, get_args

import polars as pl

from negforge.contract import Edit, Exported, Refusal, Verdict
from negforge.errors import NegforgeError, OperatorError
from negforge.records import Table
from negforge.registry import Operator

_FULL = (errno.ENOSPC, errno.EDQUOT)


def wrong(operator: Operator, problem: str, mend: str) -> NoReturn:
    """Say that an operator answered wrongly. Raises OperatorError."""
    raise OperatorError(f"{operator.title} {problem}", str(operator.path), mend)


@contextlib.contextmanager
def blamed(operator: Operator) -> Iterator[None]:
    """Turn whatever an operator of others raises into an OperatorError that names the line of its file."""
    try:
        yield
    except (NegforgeError, MemoryError):
        raise
    except Exception as error:
        if not operator.tree.foreign or (isinstance(error, OSError) and error.errno in _FULL):
            raise
        raise OperatorError(
            f"{operator.title} failed: {type(error).__name__}: {error}",
            place_of(operator, error),
            "mend the operator; it is none of negforge's",
        ) from error


def place_of(operator: Operator, error: BaseException) -> str:
    """Where in an operator's own files an exception came up: file and line of the innermost call there."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(operator.tree.folder)]
    return f"{own[-1].filename}, line {own[-1].lineno}" if own else str(operator.path)


def asked(operator: Operator, function: Callable[..., Any], table: Any, arguments: dict[str, Any]) -> Any:
    """Call a function of an operator of others with a batch, and see that it left the batch as it was."""
    if not isinstance(table, Table):
        with blamed(operator):
            answer = function(table, **arguments)
        return _watched(operator, answer, lambda: None) if isinstance(answer, Iterator) else answer
    handed = table.frame
    before = handed.clone()

    def check() -> None:
        if table.frame is not handed or not handed.equals(before):
            wrong(operator, "changed the batch it was given", "make a new frame of it: batch.frame.with_columns(...) leaves it as it was")

    with blamed(operator):
        answer = function(table, **arguments)
    if isinstance(answer, Iterator):
        return _watched(operator, answer, check)
    check()
    return answer


def _watched(operator: Operator, answer: Any, done: Callable[[], None]) -> Iterator[Any]:
    with blamed(operator):
        returned = yield from answer
    if returned is not None:
        wrong(operator, f"returned {_named(returned)} where it should go on yielding", "write yield instead of return")
    done()


# -- generators --------------------------------------------------------------------------------------------------------


def check_edit(operator: Operator, one: Any, text: str | None) -> None:
    """What a generator of edits yielded for a row. text: the row's text; None if there is no row of that id."""
    kind = type(one)
    if kind is not Edit and kind is not Refusal:
        wrong(operator, f"yielded {one!r}", "yield Edit(row_id, start, end, new) or Refusal(row_id, reason)")
    if text is None:
        wrong(operator, f"yielded an unknown row id {one.row_id!r}", 'use the ids of the batch: for row_id, text in zip(batch["id"], ...)')
    if kind is Refusal:
        if type(one.reason) is not str or not one.reason:
            wrong(operator, f"refused row {one.row_id!r} for {one.reason!r}", "a reason is one word, such as negated")
        return
    _, start, end, new = one
    if not (hasattr(start, "__index__") and hasattr(end, "__index__") and 0 <= start <= end <= len(text)):
        wrong(
            operator,
            f"yielded an edit of row {one.row_id!r} from {start!r} to {end!r}, whose text has {len(text)} characters",
            "start and end count characters of the text, from 0, as match.span() does",
        )
    if type(new) is not str:
        wrong(operator, f"yielded an edit of row {one.row_id!r} to {new!r}", "new is the text that replaces what stands there")


def candidates(operator: Operator, made: Any, key: str) -> None:
    """The frame, or whatever else, that a generator returned. key: the column that says whose a candidate is."""
    if isinstance(made, pl.DataFrame):
        for name in (key, *(() if "corpus_row" in made.columns else ("negative",))):
            if name not in made.columns:
                wrong(operator, f"returned candidates without a column {name}", f"it has {', '.join(made.columns)}")
            if made[name].null_count():
                wrong(operator, f"returned candidates whose {name} is null", "leave those rows out")
    elif made is None or isinstance(made, str) or not hasattr(made, "__iter__"):
        wrong(operator, f"returned {_named(made)}", "yield an Edit or a Refusal for each row, or return a frame of candidates")


# -- score, verify, filter, dedupe, export -----------------------------------------------------------------------------


def verdicts(operator: Operator, answer: Any, rows: int) -> pl.Series:
    """A verifier's answer: a verdict a row. It may be the column `verdict` of a frame, whose other columns go beside it."""
    if isinstance(answer, pl.DataFrame) and "verdict" in answer.columns:
        answer = answer["verdict"]
    if not isinstance(answer, pl.Series) or len(answer) != rows:
        wrong(
            operator,
            f"returned {_named(answer)} for a batch of {rows} rows",
            "return a pl.Series with a verdict for each row, in their order",
        )
    known = get_args(Verdict)
    odd = answer.filter(~answer.is_in([*known]) | answer.is_null()) if answer.dtype == pl.String else answer
    if len(odd):
        wrong(operator, f"gave the verdict {odd[0]!r}", f"verdicts are {', '.join(known)}")
    return answer


def drop_block(operator: Operator, answer: Any, rows: int) -> pl.DataFrame:
    """A filter's answer: `drop_reason` and `drop_value` a row."""
    _frame(operator, answer, rows, "return negforge.contract.drops(reasons): a reason for each row, null for one that stays")
    noted = {"note": pl.String} if isinstance(answer, pl.DataFrame) and "note" in answer.columns else {}
    columns = {"drop_reason": pl.String, "drop_value": None, **noted}
    return _with_columns(operator, answer, columns, "return negforge.contract.drops(reasons)")


def added(operator: Operator, answer: Any, rows: int) -> pl.DataFrame:
    """A score's answer, or a schedule's: new columns, a value a row."""
    return _frame(operator, answer, rows, "return a frame of the new columns, with a value for each row in their order")


def narrow(operator: Operator, answer: Any, rows: int) -> pl.DataFrame:
    """The narrow table that `keys` makes: a `group` a row, and what decides.

    With a column `row` of its own, the place in the batch that each row is about, it has as many rows as it likes, and no group.
    """
    if isinstance(answer, pl.DataFrame) and "row" in answer.columns:
        return _with_columns(operator, answer, {"row": pl.Int64}, "row is the place in the batch of the row it is about")
    _frame(operator, answer, rows, "return a frame with a row for each row of the batch")
    return _with_columns(operator, answer, {"group": pl.UInt64}, "group is a 64-bit key, such as negforge.rng.hash64 makes")


def decisions(operator: Operator, answer: Any) -> pl.DataFrame:
    """The rows that an operator of table scope drops, and those, without a reason, of which it notes something."""
    columns = {"row": None, "drop_reason": pl.String, "drop_value": None}
    found = _with_columns(operator, answer, columns, "return the rows to drop, with reasons")
    note = pl.col("note") if "note" in found.columns else pl.lit(None)
    return found.select("row", "drop_reason", pl.col("drop_value").cast(pl.String), note.cast(pl.String).alias("note"))


def exported(operator: Operator, answer: Any) -> Exported:
    """A trainer's rows, and their provenance row for row."""
    if not isinstance(answer, Exported) or not isinstance(answer.rows, pl.DataFrame):
        wrong(operator, f"returned {_named(answer)}", "return negforge.contract.Exported(rows)")
    if answer.provenance is not None and answer.provenance.height != answer.rows.height:
        wrong(operator, f"returned {answer.rows.height} rows with {answer.provenance.height} of provenance", "give each row its own")
    return answer


def _frame(operator: Operator, answer: Any, rows: int, mend: str) -> pl.DataFrame:
    if not isinstance(answer, pl.DataFrame) or answer.height != rows:
        wrong(operator, f"returned {_named(answer)} for a batch of {rows} rows", mend)
    return answer


def _with_columns(operator: Operator, answer: Any, columns: dict[str, Any], mend: str) -> pl.DataFrame:
    if not isinstance(answer, pl.DataFrame):
        wrong(operator, f"returned {_named(answer)}", mend)
    for name, dtype in columns.items():
        if name not in answer.columns:
            wrong(operator, f"returned a frame without a column {name}", mend)
        if dtype is not None and answer[name].dtype not in (dtype, pl.Null):
            wrong(operator, f"returned {name} of type {answer[name].dtype}, not {dtype}", mend)
    return answer


def _named(answer: Any) -> str:
    if answer is None:
        return "nothing"
    if isinstance(answer, pl.DataFrame | pl.Series):
        return f"a {type(answer).__name__} of {len(answer)} rows"
    name = type(answer).__name__
    return f"a{'n' if name[0] in 'AEIOUaeiou' else ''} {name}"

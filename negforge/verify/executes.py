"""Prove code right or wrong by running it: against tests or examples that stand beside it.

The negative is a Python program, or a text with one fenced block of it. The column `tests` holds statements, one text or a list, that
are run after the program in its own names; `examples` a list of {input, output}: what it reads on standard input and what it is to
print. `positive`: it passes all. `negative`: it fails one, which `executes_witness` names with what came of it. `unknown`: it is no
Python, has no test, needs a file, a package or a network, ends by itself, takes more than 5 seconds of computing or 1 GiB, or finds no
thread, process or open file left. Tests that the positive does not pass either say nothing. Each program runs in a process of its own,
in an empty folder, without network and without a variable of this environment where user namespaces are allowed; elsewhere only a
fence against accidents holds. A program that sets out to fool its tests can.
Paper: Chen et al., Evaluating Large Language Models Trained on Code, 2021.
"""

from __future__ import annotations

import functools
import json
from typing import Annotated, Any

import polars as pl
from pydantic import Field

from negforge import programs
from negforge.contract import Declares
from negforge.errors import InputError
from negforge.killable import Killable
from negforge.records import Negatives

DECLARES = Declares(
    version=1, scope="row", reads=Negatives, cost="exec", proves=("positive", "negative"), columns=("positive", "negative", "tests")
)
_LONGEST = 200_000  # characters of a program, and of its tests


def verify(
    batch: Negatives,
    *,
    tests: Annotated[
        str, Field(description="The column of tests: statements, as a text or a list of texts.", examples=["tests"])
    ] = "tests",
    examples: Annotated[
        str, Field(description="The column of examples: a list of records of `input` and `output`.", examples=["examples"])
    ] = "examples",
) -> pl.DataFrame:
    """`verdict` and `executes_witness` for each row.

    batch: n rows of `positive`, `negative`, and the columns of tests or examples, one at least. Raises InputError without either.
    """
    if tests not in batch and examples not in batch:
        raise InputError(f"there is neither a column {tests!r} nor {examples!r}", "the negatives", "name one with --tests or --examples")
    empty = [None] * len(batch)
    checks = zip(
        batch[tests].to_list() if tests in batch else empty, batch[examples].to_list() if examples in batch else empty, strict=True
    )
    verdicts, witnesses = [], []
    for right, given, (statements, cases) in zip(batch["positive"], batch["negative"], checks, strict=True):
        verdict, witness = _judged(right, given, _statements(statements), _cases(cases))
        verdicts.append(verdict)
        witnesses.append(witness)
    return pl.DataFrame({"verdict": verdicts, "executes_witness": witnesses}, schema={"verdict": pl.String, "executes_witness": pl.String})


def _judged(right: str | None, given: str | None, tests: list[str], cases: list[tuple[str, str]]) -> tuple[str, str | None]:
    if given is None or not (tests or cases):
        return "unknown", None
    checks = json.dumps((tests, cases))
    state, witness = _run(given, checks)
    if state == "unknown" or right is None or _run(right, checks)[0] != "passed":
        return "unknown", None
    return ("positive", None) if state == "passed" else ("negative", witness)


def _statements(tests: Any) -> list[str]:
    found = [tests] if isinstance(tests, str) else tests or []
    return [one for one in found if isinstance(one, str) and one.strip()]


def _cases(examples: Any) -> list[tuple[str, str]]:
    found = [one for one in examples or [] if isinstance(one, dict)]
    return [(str(one.get("input") or ""), str(one["output"])) for one in found if one.get("output") is not None]


@functools.lru_cache(maxsize=1 << 12)
def _run(text: str, checks: str) -> tuple[str, str]:
    found = programs.code_of(text)
    if found is None or len(found[0]) > _LONGEST or len(checks) > _LONGEST:
        return "unknown", ""
    made = _runner().call(found[0], *json.loads(checks))
    if made.state != "done" or not (isinstance(made.value, list) and len(made.value) == 2 and made.value[0] in ("passed", "failed")):
        return "unknown", ""
    return str(made.value[0]), str(made.value[1])


@functools.cache
def _runner() -> Killable:
    return Killable("negforge.programs:tested")

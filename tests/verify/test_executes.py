"""Code proven right or wrong by running it: what its tests say, and every way in which they say nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.errors import InputError, UsageError
from negforge.records import Negatives
from negforge.verify.executes import verify

RIGHT = "def largest(xs):\n    return max(xs)\n"
TESTS = ["assert largest([1, 3, 2]) == 3", "assert largest([-1]) == -1"]


def judged(code: str, tests: Any = None, *, right: str = RIGHT, examples: Any = None) -> tuple[str, str | None]:
    """Verdict and witness of one program."""
    columns: dict[str, Any] = {"positive": [right], "negative": [code]}
    if tests is not None:
        columns["tests"] = [tests]
    if examples is not None:
        columns["examples"] = [examples]
    made = verify(Negatives(pl.DataFrame(columns)))
    return made["verdict"][0], made["executes_witness"][0]


def test_tests_prove_right_and_wrong() -> None:
    """All passed proves right; one that fails proves wrong and is named."""
    assert judged("def largest(xs):\n    return sorted(xs)[-1]\n", TESTS) == ("positive", None)
    assert judged("def largest(xs):\n    return xs[-1]\n", TESTS) == ("negative", "assert largest([1, 3, 2]) == 3: AssertionError")
    assert judged("def largest(xs):\n    return xs[9]\n", TESTS[1])[0] == "negative"
    assert judged("def biggest(xs):\n    return max(xs)\n", TESTS)[1] == f"{TESTS[0]}: NameError: name 'largest' is not defined"


def test_a_fenced_block_is_the_program() -> None:
    """With words around it; two blocks are none."""
    block = "```python\ndef largest(xs):\n    return xs[0]\n```"
    assert judged(f"Here it is:\n{block}\nDone.", TESTS)[0] == "negative"
    assert judged(f"{block}\n{block}", TESTS)[0] == "unknown"


def test_examples_compare_what_is_printed() -> None:
    """White space at the ends of lines apart."""
    right, wrong = "print(int(input()) * 2)", "print(int(input()) + 2)"
    cases = [{"input": "2", "output": "4"}, {"input": "5\n", "output": "10 \n"}]
    assert judged(right, examples=cases, right=right) == ("positive", None)
    assert judged(wrong, examples=cases, right=right) == ("negative", "of '5\\n': '7\\n', not '10 \\n'")


@pytest.mark.parametrize(
    "code",
    [
        "def largest(xs:",
        "",
        "He is 5 years old.",
        "while True: pass",
        "import no_such_package_anywhere\n" + RIGHT,
        "import os; os._exit(0)",
        "x = [0] * 10**12\n" + RIGHT,
        "import socket; socket.create_connection(('192.0.2.1', 80), 1)",
        "open('/no/such/file')",
        "\x00",
        "(" * 5000,
        "def largest(xs): return largest(xs)",
    ],
)
def test_what_says_nothing(code: str) -> None:
    """No Python, no end, too large, or only wrong where it runs: `unknown`, in time; an empty program lacks the function."""
    begun = time.monotonic()
    expected = "negative" if code == "" else "unknown"
    assert judged(code, TESTS)[0] == expected
    assert time.monotonic() - begun < 40


LIMITED = "def largest(xs):\n    {}\n"


@pytest.mark.parametrize(
    "body",
    [
        'raise RuntimeError("can\'t start new thread")',
        "raise MemoryError",
        "raise BlockingIOError(11, 'Resource temporarily unavailable')",
        "kept = [open('/dev/null') for _ in range(10**6)]",
        "raise ValueError('no pool') from OSError(24, 'Too many open files')",
        "import threading\n    [threading.Thread(target=threading.Event().wait, daemon=True).start() for _ in range(10**5)]",
    ],
)
def test_a_limit_of_this_machine_says_nothing(body: str) -> None:
    """Threads, memory, processes and open files are short only here: `unknown`, by tests and by examples; another error fails."""
    code = LIMITED.format(body)
    assert judged(code, TESTS)[0] == "unknown"
    cases = [{"input": "", "output": "3\n"}]
    assert judged(f"{code}print(largest([3]))", right="print(3)", examples=cases)[0] == "unknown"
    assert judged(LIMITED.format("raise RuntimeError('the end')"), TESTS)[0] == "negative"


def test_tests_that_the_positive_fails_say_nothing() -> None:
    """Nor do none at all, or some that cannot be read."""
    wrong = "def largest(xs):\n    return 0\n"
    assert judged(wrong, ["assert largest([1]) == 7"])[0] == "unknown"
    assert judged(wrong, []) == judged(wrong, "") == judged(wrong, "assert (") == ("unknown", None)


def test_nothing_runs_unless_it_is_allowed(tmp_path: Path) -> None:
    """`--allow-exec` is needed, by flag and by call; then rows get verdict, witness and label."""
    pairs = pl.DataFrame({"id": ["a"], "anchor_id": ["a"], "anchor": ["q"], "positive": ["She bought 25 red apples."]})
    made = negforge.run("generate perturb.number", pairs).kept
    rows = made.with_columns(positive=pl.lit(RIGHT), negative=pl.lit("def largest(xs):\n    return xs[0]\n"), tests=pl.lit(TESTS))
    rows.write_parquet(tmp_path / "n.parquet")
    with pytest.raises(UsageError, match="runs code"):
        negforge.run("verify executes", rows)
    words = ["verify", "executes", str(tmp_path / "n.parquet"), "--to", "jsonl"]
    refused = CliRunner().invoke(app, words)
    assert (refused.exit_code, "--allow-exec" in refused.stderr) == (2, True)
    done = CliRunner().invoke(app, [*words, "--allow-exec"])
    assert done.exit_code == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["label"], row["verdict_executes"], row["executes_witness"]) == ("negative", "negative", f"{TESTS[0]}: AssertionError")
    assert "executes" in row["evidence"]


def test_a_table_without_tests_is_refused() -> None:
    """It would all be `unknown`."""
    with pytest.raises(InputError, match="neither"):
        judged(RIGHT)

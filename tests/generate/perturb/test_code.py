"""Mutants of Python code: what is changed and what never is, and the input on which a mutant answers otherwise."""

from __future__ import annotations

import ast
import json
import sysconfig
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.contract import Chosen
from negforge.generate.perturb import code as module
from negforge.generate.perturb.code import generate
from negforge.programs import witness
from negforge.records import Pairs
from negforge.rng import Rng

CLAMP = '''def clamp(x, low, high):
    """Between 0 and 10, or so."""
    if x < low and low <= high:  # not below 3
        return low
    return min(x + 1, high)
'''


def made(*texts: str, seed: int = 0, num_negatives: int = 60, allow_exec: bool = False, **options: Any) -> Chosen:
    """What the operator makes of some texts."""
    frame = pl.DataFrame({"id": [str(at) for at in range(len(texts))], "positive": texts})
    return generate(Pairs(frame), Rng(seed, "generate perturb.code"), num_negatives=num_negatives, allow_exec=allow_exec, **options)


def changes(text: str, **options: Any) -> set[tuple[str, str, str]]:
    """Kind, old and new of each mutant."""
    return {(row["mutation"], row["edits"][0]["old"], row["edits"][0]["new"]) for row in made(text, **options).rows.to_dicts()}


def test_what_is_changed() -> None:
    """Comparisons, booleans, arithmetic, constants and returns; neither documentation nor comments."""
    assert changes(CLAMP) == {
        ("comparison", "<", "<="),
        ("comparison", "<", ">="),
        ("comparison", "<=", "<"),
        ("comparison", "<=", ">"),
        ("boolean", "and", "or"),
        ("arithmetic", "+", "-"),
        ("constant", "1", "2"),
        ("constant", "1", "0"),
        ("return", "low", "None"),
        ("return", "min(x + 1, high)", "None"),
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x = a is not b", {("comparison", "is not", "is")}),
        ("x = a in b", {("comparison", "in", "not in")}),
        ("x = not a", {("boolean", "not ", "")}),
        ("x += a", {("arithmetic", "+=", "-=")}),
        ("x = a // b", {("arithmetic", "//", "*"), ("arithmetic", "//", "/")}),
        ("for x in range(len(a)): break", {("bound", "", " - 1"), ("bound", "", " + 1"), ("flow", "break", "continue")}),
        ("x = True", {("constant", "True", "False")}),
        ("x = ((a)\n  # or else\n  + (b))", {("arithmetic", "+", "-")}),
        ("x = '\u00e9\u732b\U0001f600', a + b", {("arithmetic", "+", "-")}),
        ("x = a < b < c", {("comparison", "<", "<="), ("comparison", "<", ">=")}),
        ("x = 'a' + b", set()),
        ("x = '%s' % b", set()),
        ("x: 'Literal[1]' = a", set()),
        ("assert a > 1, 'a + 1'", set()),
        ("raise ValueError(a + 1)", set()),
        ("print(a + 1); logger.info('%s', a + 1)", set()),
        ("x = f'{a + 1}'", set()),
        ("x = 0x10", set()),
        ("'''1 + 1'''", set()),
    ],
)
def test_each_kind_of_site(line: str, expected: set[tuple[str, str, str]]) -> None:
    """By the tree's own places, whatever stands between them; texts, notes and checks are left alone."""
    assert changes("def f(a, b, c):\n    " + line.replace("\n", "\n    ") + "\n") == expected


def test_the_text_around_the_change_stays() -> None:
    """A fenced block in prose, tabs, comments and all: the edit is the one change, and undone it gives the source."""
    text = f"Like this, 1 < 2:\n```python\n{CLAMP}```\nDone + dusted."
    rows = made(text).rows.to_dicts()
    assert len(rows) == 10
    for row in rows:
        edit = row["edits"][0]
        assert text[edit["start"] : edit["end"]] == edit["old"]
        assert text[: edit["start"]] + edit["new"] + text[edit["end"] :] == row["negative"]
        assert row["negative"].startswith("Like this, 1 < 2:\n```python\ndef clamp(")
        assert row["verdict_executes"] is row["witness"] is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(x:\n    return x + 1", "unparsed"),
        ("To def a term is to say what it means.", "unparsed"),
        ("def f(x): return x + 1\x00", "unparsed"),
        ("def f(x): return " + "(" * 3000 + "1" + ")" * 3000, "unparsed"),
        ("```python\ndef f(x): return x + 1\n```\n```python\ndef g(x): return x + 1\n```", "unparsed"),
        ("def f(x):\n    return x + 1\n" * 5000, "too-long"),
        ("def f(x):\n    if 1 or 2:\n        pass\n", "same-code"),
        ("def f():\n    pass\n", ""),
    ],
)
def test_what_is_refused(text: str, expected: str) -> None:
    """No Python, too much of it, or nothing in which a change is one; where there is no site nothing is said."""
    assert [one.reason for one in made(text).refusals] == [expected][: bool(expected)]


def test_protected_lines_stay() -> None:
    """No mutant on a line that matches."""
    assert {kind for kind, _, _ in changes(CLAMP, protect="if|min")} == {"return"}
    assert [one.reason for one in made(CLAMP, protect=".").refusals] == ["protected"]


def test_run_side_by_side_each_mutant_has_its_witness() -> None:
    """An input, both answers and the verdict; a mutant that does the same is not among them."""
    rows = made(CLAMP, allow_exec=True).rows.to_dicts()
    assert rows
    for row in rows:
        assert row["verdict_executes"] == "negative"
        assert row["witness"].startswith("clamp(")
        assert witness(CLAMP, row["negative"], "clamp") == row["witness"]
    same = "def half(n: int) -> int:\n    if n < 0:\n        return 0\n    return n // 2 if n > 0 else 0\n"
    bounds = {(row["edits"][0]["old"], row["edits"][0]["new"]) for row in made(same, allow_exec=True).rows.to_dicts()}
    assert ("<", "<=") not in bounds
    assert (">", ">=") not in bounds
    assert ("<", ">=") in bounds


def test_what_cannot_be_run_has_no_witness() -> None:
    """Names from elsewhere, no end, a method, an address: refused, not guessed."""
    for text in (
        "def f(x):\n    return helper(x) + 1\n",
        "def f(x):\n    while x == x: x = x + 0\n",
        "class A:\n    def f(self, x):\n        return x + 1\n",
        "def f(x):\n    return object(), x + 1\n",
        "import os\ndef f(x):\n    os._exit(0)\n    return x + 1\n",
        "import no_such_package\ndef f(x):\n    return x + 1\n",
    ):
        assert [one.reason for one in made(text, allow_exec=True, num_negatives=1).refusals] == ["no-witness"]


def test_what_an_earlier_input_left_behind_is_no_difference() -> None:
    """A difference counts only where both programs show it at their first call."""
    text = "def f(x):\n    if 'k' in globals():\n        return 1\n    globals()['k'] = 0\n    return x\n"
    assert witness(text, text.replace("return 1", "return 2"), "f") == ""
    assert witness(text, text.replace("return x", "return x + 1"), "f") == "f(1) gives 1; changed, it gives 2"


LINES = st.sampled_from(
    [
        "x = a + b",
        "if a < 1:\n        b = 2",
        "return a and b",
        "# 1 < 2",
        "'\u05e9 1'",
        "for i in range(b): a += i",
        "x = not a",
        "\tx = 1",
        "x = (",
        "\u00e9 = a - 1",
    ]
)


@settings(max_examples=80)
@given(st.lists(LINES, max_size=6), st.integers(0, 3))
def test_every_mutant_compiles_to_other_code(lines: list[str], seed: int) -> None:
    """And fewer negatives are the first of more, all of them distinct (boxed/mutmut#52, #433)."""
    text = "def f(a, b):\n" + "".join(f"    {line}\n" for line in lines) + "    return a\n"
    rows = made(text, seed=seed, num_negatives=5).rows["negative"].to_list()
    assert len({*rows, text}) == len(rows) + 1
    for row in rows:
        assert module._bytecode(row) not in (None, module._bytecode(text))
    assert made(text, seed=seed, num_negatives=1).rows["negative"].to_list() == rows[:1]


@given(st.text() | st.text("def f(x):\n  return 1+\"'#\\`"))
def test_any_text_is_taken(text: str) -> None:
    """Whatever it is, and what is made of it compiles to other code."""
    for source in ("def f(x):\n" + text, text):
        for row in made(source, num_negatives=2).rows["negative"]:
            assert module._bytecode(row) not in (None, module._bytecode(source))


def test_the_functions_of_the_standard_library() -> None:
    """Nine of ten get a mutant, and every one compiles."""
    functions = []
    for name in ("bisect", "calendar", "colorsys", "difflib", "heapq", "statistics", "textwrap"):
        source = (Path(sysconfig.get_paths()["stdlib"]) / f"{name}.py").read_text(encoding="utf-8")
        tops = [one for one in ast.parse(source).body if isinstance(one, ast.FunctionDef)]
        functions += [ast.get_source_segment(source, one) or "" for one in tops]
    found = made(*functions, num_negatives=3)
    assert found.rows["id"].n_unique() > 0.9 * len(functions)
    for text in found.rows["negative"]:
        compile(text, "<mutant>", "exec")


def test_command_line(tmp_path: Path) -> None:
    """Without leave the label is `unknown`; with it, and a witness, `negative`."""
    pl.DataFrame({"anchor": ["q"], "positive": [CLAMP]}).write_ndjson(tmp_path / "p.jsonl")
    negforge.run("ingest pairs", str(tmp_path / "p.jsonl"), output=tmp_path / "p.parquet")
    words = ["generate", "perturb.code", str(tmp_path / "p.parquet"), "--language", "code", "--to", "jsonl"]
    labels = []
    for more in ([], ["--allow-exec"]):
        result = CliRunner().invoke(app, [*words, *more])
        assert result.exit_code == 0, result.stderr
        row = json.loads(result.stdout)
        labels.append((row["label"], bool(row["witness"])))
    assert labels == [("unknown", False), ("negative", True)]

"""Change one operator, constant, bound or return of Python code, so that it computes something else.

The text is Python, or has one fenced block of it; what is no Python is `unparsed`. Changed are comparisons (`<` to `<=` or `>=`, `==` to
`!=`, `in`, `is`), arithmetic (`+` to `-`, `//` to `/`, also `+=`), `and`, `or` and `not`, whole numbers by one, `True`, the end of a
`range` by one, `break`, and what is returned; never documentation, annotations, decorators, assertions, raised messages, logging or
printing. The text is spliced, so comments stay. Each mutant compiles, and its bytecode, documentation left out, is another.
A mutant may still do the same, so its label is `unknown`. With `--allow-exec` both programs run side by side on inputs that are tried
out, in a process that is killed at its limits: a mutant of a function that takes plain values is kept only with an input on which it
answers otherwise (`witness`, and the verdict of `executes`, which makes the label `negative`); where none is found, the row is refused
as `no-witness`. Say `--language code`, for else case and marks count for nothing when texts are compared.
Written beside the text: `mutation`, `witness`, `edits` (of the source's characters). Refused: `unparsed`, `too-long`, `protected`,
`same-code`, `no-witness`.
Source: DeMillo, Lipton and Sayward, Hints on Test Data Selection, 1978; boxed/mutmut#52, boxed/mutmut#433 (a mutant that did not parse,
mutants whose state changed from run to run).
"""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import islice, zip_longest
from types import CodeType
from typing import Annotated, Any, NamedTuple

import polars as pl
from pydantic import Field

from negforge import programs
from negforge.contract import Chosen, Declares, Refusal
from negforge.killable import Killable, Limits
from negforge.records import Pairs
from negforge.rng import Rng

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    languages=("code",),
    label="unknown",
    opposition="contradiction",
    evidence=("compiled", "edit"),
    verifiers=("equivalent", "known-positive"),
    candidates=r"\bdef\s+\w+",
    bar=0.95,
)

_LONGEST = 100_000
_MOST_TRIES = 200  # mutants of one row that are compiled
_MOST_RUNS = 12  # of which so many are run
_LIMITS = Limits(cpu_seconds=4, wall_seconds=15.0)
_SCHEMA: dict[str, Any] = {
    "id": pl.String,
    "negative": pl.String,
    "mutation": pl.String,
    "witness": pl.String,
    "verdict_executes": pl.String,
    "edits": pl.List(pl.Struct({"start": pl.Int64, "end": pl.Int64, "old": pl.String, "new": pl.String})),
}
_COMPARE: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
}
_WORDS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("+", "//")),
    ast.Div: ("/", ("*", "//")),
    ast.FloorDiv: ("//", ("*", "/")),
    ast.Mod: ("%", ("//",)),
    ast.Pow: ("**", ("*",)),
    ast.BitAnd: ("&", ("|",)),
    ast.BitOr: ("|", ("&",)),
    ast.BitXor: ("^", ("&",)),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
}
_TALK = re.compile(r"(?:log|logger|logging|warn|warnings|print|write|debug|info|error|exception)\Z")


class _Mutant(NamedTuple):
    """A change in characters of the code, and the function at the top of the file it lies in, if it lies in one."""

    kind: str
    start: int
    end: int
    new: str
    function: str


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    num_negatives: int,
    allow_exec: bool,
    protect: Annotated[str, Field(description="Leave lines that hold a match of this regular expression alone.")] = r"(?!)",
) -> Chosen:
    """Up to `num_negatives` mutants of each `positive`, or why there is none.

    batch: n rows of `id`, `positive`. A row in which nothing can be changed is `no-site`.
    """
    rows: list[dict[str, Any]] = []
    refusals = []
    guarded = re.compile(protect)
    for row_id, text in zip(batch["id"], batch["positive"], strict=True):
        if len(text) > _LONGEST:
            refusals.append(Refusal(row_id, "too-long", str(len(text))))
            continue
        found = programs.code_of(text)
        parsed = None if found is None else _parsed(found[0])
        if found is None or parsed is None:
            refusals.append(Refusal(row_id, "unparsed"))
            continue
        code, offset = found
        mutants = _mutants(code, parsed)
        if not mutants:
            continue
        lines = code.split("\n")
        starts = _line_starts(lines)
        allowed = [one for one in mutants if not guarded.search(lines[_line_of(starts, one.start)])]
        reasons: Counter[str] = Counter() if allowed else Counter({"protected": 1})
        before = _bytecode(code)
        made = runs = 0
        mute: set[str] = set()  # functions that no input suits
        for one in islice(_turns(allowed, rng, row_id), _MOST_TRIES):
            changed = code[: one.start] + one.new + code[one.end :]
            after = _bytecode(changed)
            if after is None or after == before:
                reasons["same-code"] += 1
                continue
            witness = None
            if allow_exec:
                if one.function not in mute and runs < _MOST_RUNS * num_negatives:
                    runs += 1
                    witness = _witness(code, changed, one.function)
                    if witness is None:
                        mute.add(one.function)
                if not witness:
                    reasons["no-witness"] += 1
                    continue
            edit = {"start": offset + one.start, "end": offset + one.end, "old": code[one.start : one.end], "new": one.new}
            negative = text[: edit["start"]] + one.new + text[edit["end"] :]
            verdict = "negative" if witness else None
            rows.append(
                {"id": row_id, "negative": negative, "mutation": one.kind, "witness": witness, "verdict_executes": verdict, "edits": [edit]}
            )
            made += 1
            if made == num_negatives:
                break
        if not made:
            refusals.append(Refusal(row_id, max(reasons, key=lambda name: (reasons[name], name))))
    return Chosen(pl.DataFrame(rows, schema=_SCHEMA), refusals)


def _turns(mutants: list[_Mutant], rng: Rng, row_id: str) -> Iterator[_Mutant]:
    """Mutants in an order drawn for the row, the kinds by turns, so that no kind of many sites crowds out the rest; returns last."""
    kinds: dict[str, list[_Mutant]] = {}
    for one in rng.shuffled(row_id, mutants):
        kinds.setdefault(one.kind, []).append(one)
    last = kinds.pop("return", [])  # the plainest of all
    for turn in zip_longest(*kinds.values()):
        yield from (one for one in turn if one is not None)
    yield from last


def _witness(code: str, changed: str, function: str) -> str | None:
    """An input that tells both apart; empty where none was found, None where the function answers none at all."""
    if not function:
        return None
    made = _runner().call(code, changed, function)
    if made.state == "done":
        return made.value if isinstance(made.value, str) else None
    return ""


@functools.cache
def _runner() -> Killable:
    return Killable("negforge.programs:witness", _LIMITS)


def _parsed(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _bytecode(code: str) -> tuple[Any, ...] | None:
    """What the code compiles to, without documentation and places in the text, or None where it does not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _stripped(compile(code, "<code>", "exec", dont_inherit=True, optimize=2))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None


def _stripped(code: CodeType) -> tuple[Any, ...]:
    constants = tuple(_stripped(one) if isinstance(one, CodeType) else (type(one).__name__, repr(one)) for one in code.co_consts)
    return code.co_name, code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants


# -- sites -------------------------------------------------------------------------------------------------------------


def _line_starts(lines: list[str]) -> list[int]:
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    return starts


def _line_of(starts: list[int], position: int) -> int:
    from bisect import bisect_right

    return bisect_right(starts, position) - 1


def _mutants(code: str, tree: ast.Module) -> list[_Mutant]:
    """Every change, in the order of the text. Code whose lines Python counts otherwise (form feeds, other line ends) has none."""
    if "\r" in code or "\f" in code:
        return []
    try:
        tokens = [one for one in tokenize.generate_tokens(io.StringIO(code).readline) if one.type in (tokenize.OP, tokenize.NAME)]
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return []
    finder = _Finder(code, tokens)
    for node in tree.body:
        finder.function = node.name if isinstance(node, ast.FunctionDef) else ""
        finder.visit(node)
    found = dict.fromkeys(finder.found)
    return sorted(found, key=lambda one: (one.start, one.end, one.new))


class _Finder(ast.NodeVisitor):
    """Collects changes. Positions of the tree are bytes of a line, those of tokens characters."""

    def __init__(self, code: str, tokens: list[tokenize.TokenInfo]) -> None:
        self._code, self._lines = code, code.split("\n")
        self._starts = _line_starts(self._lines)
        self._tokens = [(self._starts[one.start[0] - 1] + one.start[1], one.string) for one in tokens]
        self.function = ""
        self.found: list[_Mutant] = []

    def _place(self, line: int, column: int) -> int:
        text = self._lines[line - 1]
        return self._starts[line - 1] + (column if text.isascii() else len(text.encode()[:column].decode("utf-8", "ignore")))

    def _start(self, node: Any) -> int:
        return self._place(node.lineno, node.col_offset)

    def _end(self, node: Any) -> int:
        return self._place(node.end_lineno, node.end_col_offset)

    def _add(self, kind: str, start: int, end: int, new: str) -> None:
        self.found.append(_Mutant(kind, start, end, new, self.function))

    def _between(self, left: int, right: int, words: str) -> tuple[int, int] | None:
        """Where an operator of one word or two stands between two places, if it stands there once."""
        inside = [(at, word) for at, word in self._tokens if left <= at < right and word not in "()"]
        if [word for _, word in inside] != words.split():
            return None
        return inside[0][0], inside[-1][0] + len(inside[-1][1])

    def _operator(self, kind: str, left: Any, right: Any, words: str, others: tuple[str, ...]) -> None:
        place = self._between(self._end(left), self._start(right), words)
        if place is not None:
            for new in others:
                self._add(kind, *place, new)

    def visit_Compare(self, node: ast.Compare) -> None:
        """`a < b <= c`: each operator by itself."""
        for left, sign, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            if type(sign) in _COMPARE:
                old, others = _COMPARE[type(sign)]
                self._operator("comparison", left, right, old, others)
            elif type(sign) in _WORDS:
                old, other = _WORDS[type(sign)]
                self._operator("comparison", left, right, old, (other,))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Arithmetic, but not of texts."""
        if not any(_is_text(side) for side in (node.left, node.right)) and type(node.op) in _ARITHMETIC:
            self._operator("arithmetic", node.left, node.right, *_ARITHMETIC[type(node.op)])
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """`+=` and the like."""
        if not _is_text(node.value) and type(node.op) in _ARITHMETIC:
            old, others = _ARITHMETIC[type(node.op)]
            self._operator("arithmetic", node.target, node.value, f"{old}=", tuple(f"{one}=" for one in others))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """`and` for `or`, of two."""
        if len(node.values) == 2:
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            self._operator("boolean", node.values[0], node.values[1], old, (new,))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """`not` and a sign taken away."""
        if isinstance(node.op, ast.Not | ast.USub) and not isinstance(node.operand, ast.Constant):
            self._add("boolean" if isinstance(node.op, ast.Not) else "arithmetic", self._start(node), self._start(node.operand), "")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Whole numbers by one, and truth."""
        start, end = self._start(node), self._end(node)
        if isinstance(node.value, bool):
            self._add("constant", start, end, str(not node.value))
        elif isinstance(node.value, int) and self._code[start:end].isdigit() and len(str(node.value)) < 16:
            self._add("constant", start, end, str(node.value + 1))
            if node.value:
                self._add("constant", start, end, str(node.value - 1))

    def visit_Return(self, node: ast.Return) -> None:
        """What is returned: nothing in its place; a truth is changed as one."""
        if node.value is not None and not isinstance(node.value, ast.Constant) and node.lineno == node.end_lineno:
            self._add("return", self._start(node.value), self._end(node.value), "None")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """The end of a `range` by one; nothing in what is only said."""
        named = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if _TALK.match(named):
            return
        if named == "range" and isinstance(node.func, ast.Name) and 0 < len(node.args) < 3 and not node.keywords:
            last = node.args[-1]
            if isinstance(last, ast.Name | ast.Call | ast.Attribute | ast.Subscript | ast.BinOp):
                for step in (" - 1", " + 1"):
                    self._add("bound", self._end(last), self._end(last), step)
        self.generic_visit(node)

    def visit_Break(self, node: ast.Break) -> None:
        """`continue` in its place."""
        self._add("flow", self._start(node), self._end(node), "continue")

    def visit_Continue(self, node: ast.Continue) -> None:
        """`break` in its place."""
        self._add("flow", self._start(node), self._end(node), "break")

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """The body and the defaults; neither decorators nor annotations."""
        for default in (*node.args.defaults, *(one for one in node.args.kw_defaults if one is not None)):
            self.visit(default)
        for one in node.body:
            self.visit(one)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name that ast calls

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """The body alone."""
        for one in node.body:
            self.visit(one)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """The value, not what it is said to be."""
        if node.value is not None:
            self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        """A text that stands alone is documentation, and a value that stands alone does nothing."""
        if isinstance(node.value, ast.Call | ast.Await | ast.Yield | ast.YieldFrom):
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        """All but what is there for type checkers or for running the file as a program."""
        names = {one.id for one in ast.walk(node.test) if isinstance(one, ast.Name)}
        if not names & {"TYPE_CHECKING", "__name__"}:
            self.generic_visit(node)

    def _skip(self, node: ast.AST) -> None:
        """Neither checks, nor what is raised, nor texts with values in them, whose places Python tells wrongly."""

    visit_Assert = visit_Raise = visit_JoinedStr = visit_Import = visit_ImportFrom = visit_Global = _skip  # noqa: N815


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))

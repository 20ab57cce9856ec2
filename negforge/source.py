"""What an operator's file says of itself, read without importing it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from negforge.errors import UsageError

_MINIMAL = 'DECLARES = Declares(version=1, scope="row", reads=Pairs)'


@dataclass(frozen=True)
class Source:
    """The docstring, the declaration (literals as they are, bare names as text), the line it begins at, and what is wrong."""

    doc: str = ""
    declared: dict[str, Any] = field(default_factory=dict)
    line: int = 1
    fault: UsageError | None = None


def read(path: Path, verb: str, title: str) -> Source:
    """Read an operator's file. What is wrong with it stands in `fault`, so that one broken file spoils no list of all."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError) as error:
        line = getattr(error, "lineno", None)
        problem = getattr(error, "strerror", None) or getattr(error, "msg", None) or str(error)
        where = f"{path}, line {line}" if line else str(path)
        return Source(fault=UsageError(f"{title} cannot be read: {problem}", where, "mend the file"))
    doc = ast.get_docstring(tree) or ""
    calls = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and "DECLARES" in _bound(node)]
    if not calls:
        mend = f"write {_MINIMAL} below the imports"
        return Source(doc, fault=UsageError(f"{title} declares nothing: there is no DECLARES", str(path), mend))
    line = calls[-1].lineno
    declared, wrong = _declared(calls[-1].value)
    if wrong:
        mend = f"it is read without running the file: {_MINIMAL}, with literals and names of kinds alone"
        return Source(doc, {}, line, UsageError(f"{title} declares what cannot be read: {wrong}", f"{path}, line {line}", mend))
    names = {name for node in tree.body for name in _bound(node)}
    if verb not in names:
        others = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name not in ("prepare", "keys")]
        public = [name for name in others if not name.startswith("_")]
        mend = f"rename {public[0]} to {verb}" if len(public) == 1 else f"write def {verb}(batch: ...), named after the verb"
        return Source(doc, declared, line, UsageError(f"{title} has no function {verb}", str(path), mend))
    return Source(doc, declared, line)


def _bound(node: ast.stmt) -> list[str]:
    """The names that a statement at the top of a file binds."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [one.asname or one.name for one in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _declared(value: ast.expr | None) -> tuple[dict[str, Any], str]:
    """The keywords of `Declares(...)`, or why they cannot be read."""
    if not isinstance(value, ast.Call):
        return {}, "DECLARES is no call of Declares"
    if value.args or any(word.arg is None for word in value.keywords):
        return {}, "Declares takes each value by name"
    found: dict[str, Any] = {}
    for word in value.keywords:
        try:
            found[str(word.arg)] = word.value.id if isinstance(word.value, ast.Name) else ast.literal_eval(word.value)
        except ValueError:
            return {}, f"{word.arg} is computed"
    return found, ""

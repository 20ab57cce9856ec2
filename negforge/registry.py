"""Finds operators by their file's path, reads summary and declaration without importing, and imports one when it runs."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from negforge.errors import UsageError, did_you_mean, listed

if TYPE_CHECKING:
    from negforge.contract import Declares
    from negforge.records import Kind, Table

PACKAGE = Path(__file__).parent
VERBS = {
    "ingest": "Read source files into a table of one kind.",
    "generate": "Make negatives from records.",
    "score": "Add raw scores to negatives.",
    "verify": "Prove or judge negatives; the label is made anew from all verdicts.",
    "filter": "Drop negatives by a threshold, with the reason.",
    "dedupe": "Drop repeated negatives, with the row each repeats.",
    "schedule": "Set order, mixture, weights or splits.",
    "export": "Write a trainer's exact layout.",
}


@dataclass(frozen=True)
class Operator:
    """An operator as found on disk. `name` is its command-line name, such as `mine.bm25`."""

    verb: str
    name: str
    module_name: str
    path: Path

    def __reduce__(self) -> tuple[Callable[..., Operator], tuple[str, str]]:
        # Only the name travels to a worker, which imports the operator itself.
        return find, (self.verb, self.name)

    @property
    def title(self) -> str:
        """Verb and name, as typed."""
        return f"{self.verb} {self.name}"

    @functools.cached_property
    def _tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @property
    def doc(self) -> str:
        """The file's docstring: the manual."""
        return ast.get_docstring(self._tree) or ""

    @property
    def summary(self) -> str:
        """The docstring's first line: the help text."""
        return self.doc.partition("\n")[0]

    @functools.cached_property
    def declared(self) -> dict[str, Any]:
        """The declaration read from the source: literals as they are, bare names (kinds) as text."""
        for node in self._tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _names(node) == ["DECLARES"]:
                return {
                    word.arg: word.value.id if isinstance(word.value, ast.Name) else ast.literal_eval(word.value)
                    for word in node.value.keywords
                    if word.arg is not None
                }
        return {}

    @functools.cached_property
    def module(self) -> Any:
        """The imported module."""
        return importlib.import_module(self.module_name)

    @property
    def declares(self) -> Declares:
        """The declaration itself."""
        declaration: Declares = self.module.DECLARES
        return declaration

    @property
    def function(self) -> Callable[..., Any]:
        """The operator's public function, named after its verb."""
        function: Callable[..., Any] = getattr(self.module, self.verb)
        return function

    @property
    def prepare(self) -> Callable[..., Any] | None:
        """The operator's `prepare`, if it has one."""
        return getattr(self.module, "prepare", None)

    @property
    def keys(self) -> Callable[..., Any]:
        """The `keys` of an operator of table scope: a batch becomes rows of the narrow table."""
        function: Callable[..., Any] = self.module.keys
        return function

    @functools.cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Every parameter that is an option or a side input, of `prepare`, `keys` and the function, by name."""
        from negforge.options import hints

        found: dict[str, inspect.Parameter] = {}
        for function in (self.prepare, getattr(self.module, "keys", None), self.function):
            if function is None:
                continue
            types = hints(function)
            for name, parameter in inspect.signature(function).parameters.items():
                found.setdefault(name, parameter.replace(annotation=types.get(name, parameter.annotation)))
        return found

    @functools.cached_property
    def sides(self) -> dict[str, type[Table]]:
        """Side inputs: parameters of `prepare` annotated by a kind of table."""
        from negforge.options import hints
        from negforge.records import Table

        if self.prepare is None:
            return {}
        return {name: kind for name, kind in hints(self.prepare).items() if isinstance(kind, type) and issubclass(kind, Table)}

    @property
    def makes(self) -> Kind | None:
        """The kind of table it writes, or None for a trainer's layout."""
        from negforge.records import NEGATIVES

        if self.verb == "export":
            return None
        table = self.declares.writes if self.verb == "ingest" else self.declares.reads
        return NEGATIVES if self.verb == "generate" or table is None else table.kind

    @property
    def reads_folder(self) -> bool:
        """Whether a reader takes a whole folder and not a table."""
        return "folder" in self.parameters

    def options(self) -> dict[str, inspect.Parameter]:
        """The operator's own options: keyword-only parameters that are not settings of the run."""
        from negforge.options import Settings

        return {
            name: parameter
            for name, parameter in self.parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY and name not in Settings.model_fields
        }


def _names(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


def _scan(verb: str) -> Iterator[Operator]:
    folder = PACKAGE / verb
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if any(part.startswith("_") for part in parts):
            continue
        name = ".".join(parts).replace("_", "-")
        yield Operator(verb, name, ".".join(("negforge", verb, *parts)), path)


@functools.cache
def operators(verb: str) -> dict[str, Operator]:
    """The operators of a verb, by name, in alphabetical order."""
    return {operator.name: operator for operator in _scan(verb)}


def every_operator() -> list[Operator]:
    """All operators, verb by verb."""
    return [operator for verb in VERBS for operator in operators(verb).values()]


def table(columns: int | None) -> list[str]:
    """All operators with their summaries, a line each, wrapped where a width is given."""
    every = every_operator()
    width = max(len(one.title) for one in every) + 2
    lines = []
    for one in every:
        pieces = textwrap.wrap(one.summary, max(columns - width, 20)) if columns else [one.summary]
        lines += [f"{name:<{width}}{piece}" for name, piece in zip([one.title] + [""] * len(pieces), pieces, strict=False)]
    return lines


def find(verb: str, name: str) -> Operator:
    """The operator of that name; UsageError with the nearest name if there is none."""
    if verb not in VERBS:
        raise UsageError(f"there is no verb '{verb}'", f"verbs: {listed(VERBS)}", did_you_mean(verb, VERBS, "negforge --help lists them"))
    known = operators(verb)
    if name in known:
        return known[name]
    for other in VERBS:
        if name in operators(other):
            raise UsageError(f"'{name}' is not an operator of {verb}", f"it belongs to {other}", f"type negforge {other} {name}")
    mend = _nearest(name, known) or "negforge operators lists them all"
    raise UsageError(f"there is no operator '{verb} {name}'", f"{verb} has {listed(known) or 'none yet'}", mend)


def named(name: str) -> list[Operator]:
    """The operators of that name, with or without its verb; UsageError with the nearest name if there is none."""
    every = every_operator()
    found = [one for one in every if name in (one.name, one.title)]
    if not found:
        mend = _nearest(name, [one.title if " " in name else one.name for one in every])
        raise UsageError(f"there is no operator '{name}'", mend=mend or "negforge operators lists them")
    return found


def _nearest(name: str, names: Iterable[str]) -> str:
    """The mend for a misspelt operator: one whose last part was typed alone, or the nearest."""
    known = list(names)
    tails = [one for one in known if one.rpartition(".")[2] == name.replace("_", "-")]
    return f"did you mean {listed(tails)}?" if tails else did_you_mean(name, known, "")

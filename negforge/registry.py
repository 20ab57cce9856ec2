"""Finds operators by their file's path, reads summary and declaration without importing, and imports one when it runs."""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from negforge import plugins, source
from negforge.errors import UsageError, did_you_mean, listed
from negforge.plugins import Tree

if TYPE_CHECKING:
    from negforge.contract import Declares
    from negforge.records import Kind, Table

OURS = Tree(Path(__file__).parent, "negforge", foreign=False)
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
    """An operator as found on disk. `name` is its command-line name, such as `mine.bm25`.

    tree: the folder of operators it belongs to, ours or that of others. clash: another file of the same name.
    """

    verb: str
    name: str
    module_name: str
    path: Path
    tree: Tree = OURS
    clash: Path | None = None

    def __reduce__(self) -> tuple[Callable[..., Operator], tuple[str, str]]:
        # Only the name travels to a worker, which imports the operator itself.
        return find, (self.verb, self.name)

    @property
    def title(self) -> str:
        """Verb and name, as typed."""
        return f"{self.verb} {self.name}"

    @functools.cached_property
    def source(self) -> source.Source:
        """What the file says, read without importing it."""
        return source.read(self.path, self.verb, self.title)

    @property
    def doc(self) -> str:
        """The file's docstring: the manual."""
        return self.source.doc

    @property
    def summary(self) -> str:
        """The docstring's first line: the help text. For a file that cannot be used, why not."""
        return f"broken: {self.fault.what}" if self.fault is not None else self.doc.partition("\n")[0]

    @property
    def declared(self) -> dict[str, Any]:
        """The declaration read from the source: literals as they are, bare names (kinds) as text."""
        return self.source.declared

    @functools.cached_property
    def fault(self) -> UsageError | None:
        """Why it cannot be used, as far as its source tells."""
        if self.clash is not None:
            return UsageError(
                f"two files are {self.title}", f"{self.path} and {self.clash}", "rename one, or leave its folder or package out"
            )
        return self.source.fault

    @property
    def provenance(self) -> dict[str, str]:
        """Where an operator of others comes from, for the manifest; nothing for ours."""
        if not self.tree.foreign:
            return {}
        origin = {"distribution": self.tree.distribution} if self.tree.distribution else {}
        # With its file, whatever of its tree it may import or read: all code but tests, and files named as helpers are.
        inside = [path for path in self.tree.folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        named = [(path, path.relative_to(self.tree.folder).parts) for path in inside]
        beside = [
            path
            for path, parts in named
            if any(part[0] == "_" for part in parts) or (path.suffix == ".py" and not parts[-1].startswith(("test_", "conftest")))
        ]
        digest = hashlib.sha256()
        for path in sorted({self.path, *beside}):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return {**origin, "file": self.path.relative_to(self.tree.folder).as_posix(), "source_digest": digest.hexdigest()}

    @property
    def broken(self) -> str:
        """Why an operator of others cannot be used, as far as can be told unimported; empty if nothing is wrong."""
        fault = self.fault
        if fault is None and self.tree.foreign:
            from negforge.foreign import declaration_fault

            fault = declaration_fault(self)
        return fault.what if fault is not None else ""

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the texts it changes: those declared, else any; none of an operator that changes no text."""
        return tuple(self.declared.get("languages", ())) or (("any",) if self.declared.get("edits") else ())

    def document(self) -> dict[str, Any]:
        """What the list of operators says of it, as JSON."""
        foreign = {"third_party": {"from": str(self.tree), "file": str(self.path)}} if self.tree.foreign else {}
        wrong = {"broken": self.broken} if self.broken else {}
        return {"verb": self.verb, "name": self.name, "summary": self.summary, **self.declared, **foreign, **wrong}

    def usable(self) -> Operator:
        """The operator itself, if it can be used. Raises UsageError that says what is wrong with its file, and where."""
        if self.fault is not None:
            raise self.fault
        if self.tree.foreign:
            from negforge.foreign import check_operator

            check_operator(self)
        return self

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


def _scan(verb: str, tree: Tree) -> Iterator[Operator]:
    for path in sorted((tree.folder / verb).rglob("*.py")):
        parts = path.relative_to(tree.folder / verb).with_suffix("").parts
        aside = ("_", ".", "test_", "conftest") if tree.foreign else "_"
        if any(part.startswith(aside) for part in parts):
            continue
        name = ".".join(parts).replace("_", "-")
        yield Operator(verb, name, ".".join((tree.package, verb, *parts)), path, tree)


@functools.cache
def _operators(verb: str, trees: tuple[Tree, ...]) -> dict[str, Operator]:
    found: dict[str, Operator] = {}
    for one in (one for tree in trees for one in _scan(verb, tree)):
        found[one.name] = replace(found[one.name], clash=one.path) if one.name in found else one
    return dict(sorted(found.items()))


def operators(verb: str) -> dict[str, Operator]:
    """The operators of a verb, by name, in alphabetical order."""
    return _operators(verb, (OURS, *plugins.trees()))


def every_operator() -> list[Operator]:
    """All operators, verb by verb."""
    return [operator for verb in VERBS for operator in operators(verb).values()]


def our_operators() -> list[Operator]:
    """Those of this package alone."""
    return [operator for verb in VERBS for operator in _operators(verb, (OURS,)).values()]


def table(columns: int | None, *, languages: bool = False) -> list[str]:
    """All operators with their summaries, a line each, wrapped where a width is given; or those that change texts, with their languages."""
    every = [one for one in every_operator() if not languages or one.languages]
    width = max(len(one.title) for one in every) + 2
    lines = []
    for one in every:
        text = f"broken: {one.broken}" if one.broken else ", ".join(one.languages) if languages else one.summary
        text += f" [{one.tree}]" if one.tree.foreign else ""
        pieces = textwrap.wrap(text, max(columns - width, 20)) if columns else [text]
        lines += [f"{name:<{width}}{piece}" for name, piece in zip([one.title] + [""] * len(pieces), pieces, strict=False)]
    return lines


def find(verb: str, name: str) -> Operator:
    """The operator of that name; UsageError with the nearest name if there is none."""
    if verb not in VERBS:
        mend = did_you_mean(verb, VERBS, 'negforge --help lists them; several tables are united by a list: input = ["@one", "@two"]')
        raise UsageError(f"there is no verb '{verb}'", f"verbs: {listed([one for one in VERBS if operators(one)])}", mend)
    known = operators(verb)
    if name in known:
        return known[name].usable()
    for other in VERBS:
        # Whoever types the last part of one of this verb's names means that one.
        if name in operators(other) and not any(one.rpartition(".")[2] == name for one in known):
            raise UsageError(f"'{name}' is not an operator of {verb}", f"it belongs to {other}", f"type negforge {other} {name}")
    mend = _nearest(name, known) or "negforge operators lists them all"
    where = "; ".join([f"{verb} has {listed(known) or 'none yet'}", *plugins.missing()])
    raise UsageError(f"there is no operator '{verb} {name}'", where, mend)


def named(name: str) -> list[Operator]:
    """The operators of that name, with its verb, without, or by its last part; UsageError with the nearest name if none is."""
    every = every_operator()
    found = [one for one in every if name == one.title or name in (one.name, one.name.rpartition(".")[2])]
    if not found:
        mend = _nearest(name, [one.title if " " in name else one.name for one in every])
        raise UsageError(f"there is no operator '{name}'", mend=mend or "negforge operators lists them")
    return [one.usable() for one in found]


def _nearest(name: str, names: Iterable[str]) -> str:
    """The mend for a misspelt operator: one whose last part was typed alone, or the nearest."""
    known = list(names)
    tails = [one for one in known if one.rpartition(".")[2] == name.replace("_", "-")]
    return f"did you mean {listed(tails)}?" if tails else did_you_mean(name, known, "")

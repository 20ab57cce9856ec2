"""Where operators of others lie: in folders named on the command line or in the environment, and in installed packages.

Each is a tree that mirrors this package: `TREE/generate/perturb/shout.py` is `negforge generate perturb.shout`. A tree is
named by the person who runs the command or installs the package, never by a pipeline file or by data.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
import types
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from negforge.errors import UsageError, listed

ENVIRONMENT = "NEGFORGE_PLUGINS"
GROUP = "negforge.operators"


@dataclass(frozen=True)
class Tree:
    """A folder of operators. package: under which name its files are imported.

    distribution: name and version of the installed package it belongs to. foreign: whether others wrote it.
    """

    folder: Path
    package: str
    distribution: str = ""
    foreign: bool = True

    def __str__(self) -> str:
        return self.distribution or str(self.folder)


def trees() -> tuple[Tree, ...]:
    """The trees of others: installed packages by name, then folders in the order they were named."""
    installed = [tree for tree in _installed(tuple(sys.path)) if isinstance(tree, Tree)]
    known = {tree.folder for tree in installed}
    return (*installed, *(Tree(folder, _package(folder)) for folder in _named() if folder not in known and folder.is_dir()))


def missing() -> list[str]:
    """What names a tree that is not there, in words."""
    absent = [f"{ENVIRONMENT} names {folder}, which is no folder" for folder in _named() if not folder.is_dir()]
    return [*(one for one in _installed(tuple(sys.path)) if isinstance(one, str)), *absent]


def named(folders: Iterable[str], verbs: Iterable[str]) -> str:
    """The value of the environment variable that names these folders beside those it names already.

    Raises UsageError for one that is no folder or holds no operator.
    """
    verbs = [*verbs]
    found = [*_named()]
    for text in folders:
        folder = Path(text).resolve()
        if not folder.is_dir():
            problem = "is a file" if folder.exists() else "is not there"
            raise UsageError(f"--plugins {text} {problem}", mend=_mend(folder, verbs))
        if not any(True for verb in verbs for _ in folder.glob(f"{verb}/**/*.py")):
            raise UsageError(f"--plugins {text} holds no operator", f"none of {listed(verbs)} is a folder of it", _mend(folder, verbs))
        found.append(folder)
    return os.pathsep.join(map(str, dict.fromkeys(found)))


def misplaced(command: str) -> UsageError:
    """The error for `--plugins` after the verb: which commands there are depends on it."""
    return UsageError("--plugins stands before the verb", mend=f"type {command} ...")


def _mend(folder: Path, verbs: list[str]) -> str:
    """What to name instead: the folder above the verb, if the path goes through one."""
    above = [parent.parent for parent in (folder, *folder.parents) if parent.name in verbs]
    return f"pass --plugins {above[-1]}" if above else "name the folder that holds generate/, filter/ and so on, as negforge itself does"


def _named() -> list[Path]:
    """The folders that the environment names. They are made absolute there: workers may start in another folder."""
    value = os.environ.get(ENVIRONMENT, "")
    folders = [*dict.fromkeys(Path(text).resolve() for text in value.split(os.pathsep) if text)]
    whole = os.pathsep.join(map(str, folders))
    if whole != value:
        os.environ[ENVIRONMENT] = whole
    return folders


def _package(folder: Path) -> str:
    """The package that a plugin folder is imported as, so that its files can import what lies beside them."""
    name = "negforge_plugins_" + hashlib.blake2b(os.fsencode(folder), digest_size=6).hexdigest()
    if name not in sys.modules:
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name


@functools.cache
def _installed(places: tuple[str, ...]) -> tuple[Tree | str, ...]:
    """The trees that installed packages declare; in words what was declared and is not there. Imports none of them."""
    if not any(_declares(place) for place in places):
        return ()
    from importlib.metadata import entry_points  # takes as long to import as all else that a help page needs

    found: list[Tree | str] = []
    for point in sorted(entry_points(group=GROUP), key=lambda one: (one.name, one.value)):
        name = f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.name
        folder = _folder(point.module)
        found.append(Tree(folder, point.module, name) if folder else f"{name} declares its operators in {point.value}, which is no folder")
    return tuple(found)


def _declares(place: str) -> bool:
    """Whether some distribution installed at a place of the module path names our group of entry points."""
    try:
        with os.scandir(place or ".") as entries:
            infos = [entry.path for entry in entries if entry.name.endswith((".dist-info", ".egg-info"))]
    except OSError:
        return False
    for info in infos:
        try:
            if GROUP.encode() in Path(info, "entry_points.txt").read_bytes():
                return True
        except OSError:
            continue
    return False


def _folder(module: str) -> Path | None:
    """The folder of a package; only the top of its name is looked up, which imports nothing."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    places = (Path(place, *rest) for place in (spec.submodule_search_locations or () if spec is not None else ()))
    return next((place.resolve() for place in places if place.is_dir()), None)

"""Operators that others wrote: found in folders and installed packages, used like ours, and blamed for what is theirs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import negforge
from negforge import plugins, registry
from negforge.errors import NegforgeError, OperatorError, UsageError
from negforge.generated import schemas, with_operator_table
from tests.conftest import ROOT, SAMPLE
from tests.shell import call, good
from tests.test_cli import HEAVY

HEAD = '''"""Deny a text, by words of its own.

Source: none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import Declares, Edit, Exported, Refusal, drops
from negforge.records import Negatives, Pairs
'''
DENY = (
    HEAD
    + '''
from ._words import WORDS

DECLARES = Declares(version=1, scope="row", reads=Pairs, edits=True, evidence=("edit",), verifiers=("known-positive", "short"))


@dataclass
class State:
    words: str


def prepare(positives: Pairs) -> State:
    """A state whose class lies in this file."""
    return State(WORDS)


def generate(
    batch: Pairs, state: State, *, twice: Annotated[bool, Field(description="Say it twice.")] = False
) -> Iterator[Edit | Refusal]:
    """Append the words."""
    for row_id, text in zip(batch["id"], batch["positive"], strict=True):
        yield Edit(row_id, len(text), len(text), state.words * (2 if twice else 1))
'''
)
SHORT = (
    HEAD
    + '''
DECLARES = Declares(version=1, scope="row", reads=Negatives, proves=("positive",), columns=("negative",))


def verify(batch: Negatives) -> pl.Series:
    """Take a short text for a positive."""
    short = batch["negative"].str.len_chars() < 60
    return pl.select(pl.when(short).then(pl.lit("positive")).otherwise(pl.lit("unknown"))).to_series()
'''
)


def tree(folder: Path, **files: str) -> Path:
    """A folder of operators; in a name `__` is a slash."""
    for name, text in files.items():
        path = folder / f"{name if name == '__init__' else name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A generator with a helper beside it, and a verifier."""
    made = tree(tmp_path / "own", generate__perturb__deny=DENY, verify__short=SHORT)
    (made / "generate" / "perturb" / "_words.py").write_text('WORDS = ", not at all"\n', encoding="utf-8")
    return made


@pytest.fixture
def used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, named in the environment."""
    monkeypatch.setenv(plugins.ENVIRONMENT, str(folder))
    return folder


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The sample's pairs as a table."""
    path = tmp_path / "pairs.parquet"
    good("ingest", "pairs", SAMPLE / "pairs.jsonl", "-o", path, "-q")
    return path


# -- found and used ----------------------------------------------------------------------------------------------------


LATE = (
    HEAD
    + '''
DECLARES = Declares(version=1, scope="row", reads=Pairs, verifiers=("known-positive",))


def generate(batch: Pairs, *, num_negatives: int) -> pl.DataFrame:
    """Other texts, of which the first are known positives. What is said of a candidate comes with the third of them."""
    rows = [
        {"id": one, "negative": f"text {number}", "miner": "late" if number > 2 else None} | ({"rank": number} if number > 2 else {})
        for one in batch["id"]
        for number in range(1, num_negatives + 1)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)
'''
)


def test_what_an_operator_says_late_is_taken_when_it_is_asked_again(tmp_path: Path) -> None:
    """Two candidates are vetoed; those of the second call have columns and types that the first had nothing for."""
    made = tree(tmp_path / "own", generate__perturb__late=LATE)
    pairs = pl.DataFrame({"id": ["a", "b"], "anchor": ["x", "y"], "positive": ["text 1", "text 2"]})
    pairs.write_parquet(tmp_path / "p.parquet")
    good("--plugins", made, "generate", "perturb.late", tmp_path / "p.parquet", "-n", "2", "-o", tmp_path / "n.parquet")
    found = pl.read_parquet(tmp_path / "n.parquet").filter(pl.col("label") == "negative")
    assert found.select("source_id", "negative", "miner", "rank").rows() == [
        (source, f"text {number}", "late", number) for source in "ab" for number in (3, 4)
    ]


def test_a_folder_is_used_like_our_own_tree(folder: Path, table: Path, tmp_path: Path) -> None:
    """Its operators run in worker processes, with what lies beside them, a state of their own class, and their verifiers."""
    words: list[str | Path] = [
        "generate",
        "perturb.deny",
        table,
        "--positives",
        table,
        "--workers",
        "2",
        "--batch-size",
        "9",
        "-o",
        tmp_path / "data",
    ]
    done = good("--plugins", folder, *words)
    assert "candidates proved true, labelled positive: short" in done.err
    rows = pl.read_parquet(tmp_path / "data" / "data" / "v1" / "*.parquet")
    assert (rows["negative"] == rows["positive"] + ", not at all").all()
    assert (rows["negative"].str.len_chars() >= 60).all()
    assert plugins.ENVIRONMENT not in os.environ
    assert "third party: generate perturb.deny of file generate/perturb/deny.py" in good("show", tmp_path / "data").out


def test_python_takes_the_folder_from_the_environment(used: Path, pairs: pl.DataFrame) -> None:
    """`negforge.run` needs no argument, and workers that were started before the variable was set hear of it."""
    negforge.run("generate perturb.number", pairs, batch_size=20, workers=2)
    made = negforge.run("generate perturb.deny", pairs, positives=pairs, twice=True, batch_size=20, workers=2)
    assert made.kept["negative"].str.ends_with(", not at all, not at all").all()


def test_a_relative_folder_is_the_one_of_the_command(used: Path, pairs: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers look for it where the command stood, wherever they start."""
    monkeypatch.chdir(used.parent)
    monkeypatch.setenv(plugins.ENVIRONMENT, used.name)
    made = negforge.run("generate perturb.deny", pairs, positives=pairs, batch_size=20, workers=2)
    assert made.kept.height == 80


def test_a_pipeline_file_uses_them_and_cannot_name_a_folder(folder: Path, table: Path, tmp_path: Path) -> None:
    """Code comes from the person who types the command, never from a file of data."""
    file = tmp_path / "p.toml"
    stage = f'[[stage]]\nname = "deny"\nuse = "generate perturb.deny"\ninput = "{table}"\npositives = "{table}"\noutput = "{tmp_path}/n.parquet"\n'
    file.write_text(stage, encoding="utf-8")
    good("--plugins", folder, "run", file)
    assert pl.read_parquet(tmp_path / "n.parquet").height == 80
    assert "there is no operator 'generate perturb.deny'" in call("run", file).err
    for text in (f'plugins = "{folder}"\n{stage}', f'{stage}plugins = "{folder}"\n'):
        file.write_text(text, encoding="utf-8")
        done = call("run", file)
        assert done.code == 2
        assert "no operator 'generate perturb.deny'" in done.err or "no key 'plugins'" in done.err
        done = call("--plugins", folder, "run", file)
        assert (done.code, "'plugins'" in done.err) == (2, True)


def test_lists_manuals_and_suggestions_know_them(folder: Path) -> None:
    """They are marked as what they are."""
    listed = [" ".join(line.split()) for line in good("--plugins", folder, "operators").out.splitlines()]
    assert f"generate perturb.deny Deny a text, by words of its own. [{folder}]" in listed
    rows = json.loads(good("--plugins", folder, "operators", "--json").out)
    found = {row["name"]: row["third_party"] for row in rows if "third_party" in row}
    assert found["short"] == {"from": str(folder), "file": str(folder / "verify" / "short.py")}
    assert set(found) == {"perturb.deny", "short"}
    page = " ".join(good("--plugins", folder, "operators", "show", "perturb.deny").out.split())
    assert "--twice / --no-twice Say it twice." in page
    assert "no part of negforge" in page
    assert "perturb.deny" in good("--plugins", folder, "generate", "--help").out
    assert "did you mean perturb.deny?" in call("--plugins", folder, "generate", "deny").err


def test_what_is_generated_from_our_code_leaves_them_out(used: Path) -> None:
    """Schemas and the README's table are those of this package."""
    assert "perturb.deny" not in schemas()["pipeline.json"]
    assert "perturb.deny" not in with_operator_table((ROOT / "README.md").read_text(encoding="utf-8"))
    assert "perturb.deny" in registry.operators("generate")


@pytest.mark.parametrize("words", [["--help"], ["generate", "--help"], ["operators"]])
def test_help_imports_nothing_heavy_for_them(used: Path, words: list[str]) -> None:
    """Their summaries are read from their sources as ours are."""
    code = f"import sys, negforge.cli as cli\ntry: cli.app({words!r})\nexcept SystemExit as end: assert end.code == 0\nprint(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n") or words == ["operators"]
    assert ("perturb.deny" in done.stdout) == (words != ["--help"])


def test_completion_knows_them(folder: Path) -> None:
    """The shell completes their names behind --plugins."""
    env = {
        **os.environ,
        "_NEGFORGE_COMPLETE": "complete_bash",
        "COMP_WORDS": f"negforge --plugins {folder} generate perturb.den",
        "COMP_CWORD": "4",
    }
    done = subprocess.run([sys.executable, "-m", "negforge"], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["perturb.deny"]


@pytest.mark.parametrize(
    ("place", "what", "mend"),
    [
        ("nope", "is not there", "name the folder that holds generate/, filter/ and so on, as negforge itself does"),
        ("own/verify/short.py", "is a file", "pass --plugins {}"),
        ("own/generate/perturb", "holds no operator", "pass --plugins {}"),
        (".", "holds no operator", "name the folder that holds generate/, filter/ and so on, as negforge itself does"),
    ],
)
def test_a_wrong_folder_is_told(folder: Path, place: str, what: str, mend: str) -> None:
    """The mend names the folder that was meant."""
    done = call("--plugins", folder.parent / place, "operators")
    assert done.code == 2
    assert f"--plugins {folder.parent / place} {what}" in done.err
    assert f"mend: {mend.format(folder)}\n" in done.err


@pytest.mark.parametrize("words", [["generate", "perturb.deny"], ["generate", "perturb.number"], ["operators"]])
def test_the_flag_stands_before_the_verb(folder: Path, words: list[str]) -> None:
    """Which commands there are depends on it; the mend says where it goes."""
    done = call(*words, "--plugins", folder)
    assert (done.code, done.err.split("\n")[0]) == (2, "error: --plugins stands before the verb")
    assert "mend: type negforge --plugins DIR " + " ".join(words) in done.err


def test_a_folder_in_the_environment_that_is_gone_is_named_where_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """All else goes on."""
    monkeypatch.setenv(plugins.ENVIRONMENT, "/nowhere")
    assert "NEGFORGE_PLUGINS names /nowhere, which is no folder" in call("generate", "perturb.deny").err
    done = good("operators")
    assert "warning: NEGFORGE_PLUGINS names /nowhere" in done.err
    assert "generate perturb.number" in done.out


# -- installed packages ------------------------------------------------------------------------------------------------


def installed(site: Path, *, name: str = "mytools", code: str = "raise SystemExit('imported')\n", **files: str) -> None:
    """A package as pip would have installed it."""
    tree(site / name / "negforge_operators", **files)
    tree(site / name, __init__=code)
    info = site / f"{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[negforge.operators]\nown = {name}.negforge_operators\n", encoding="utf-8")


def test_an_installed_package_is_found_without_importing_it(tmp_path: Path) -> None:
    """Lists and help read its files; the package itself, and anything heavy, stays unimported."""
    installed(tmp_path, verify__short=SHORT)
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    for words in (["verify", "--help"], ["operators"]):
        code = f"import sys, negforge.cli as cli\ntry: cli.app({words!r})\nexcept SystemExit as end: assert end.code == 0, end\nprint('mytools' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert "Deny a text" in done.stdout
        assert done.stdout.endswith("False\n")
    assert "[mytools 1.2]" in done.stdout


def test_the_manifest_names_the_package_and_its_source(tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Distribution, version and the digest of the source stand in the stage's entry."""
    installed(tmp_path / "site", name="importable", code="", verify__short=SHORT)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    good("generate", "perturb.number", table, "-o", tmp_path / "n.parquet", "-q")
    good("verify", "short", tmp_path / "n.parquet", "--workers", "2", "--batch-size", "9", "-o", tmp_path / "data", "-q")
    stages = json.loads(good("show", tmp_path / "data", "--json").out)["stages"]
    assert "third_party" not in stages[1]
    told = stages[2]["third_party"]["verify short"]
    assert (told["distribution"], told["file"], len(told["source_digest"])) == ("importable 1.2", "verify/short.py", 64)


def test_a_package_and_a_folder_that_are_one_place_are_one_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who works on an installed package may name its folder too."""
    installed(tmp_path, verify__short=SHORT)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv(plugins.ENVIRONMENT, str(tmp_path / "mytools" / "negforge_operators"))
    assert [str(one) for one in plugins.trees()] == ["mytools 1.2"]
    assert registry.operators("verify")["short"].clash is None


def test_a_package_whose_folder_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It breaks nothing else."""
    installed(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert plugins.missing() == ["mytools 1.2 declares its operators in mytools.negforge_operators, which is no folder"]
    assert "which is no folder" in good("operators").err


# -- lineage -----------------------------------------------------------------------------------------------------------


def test_the_source_is_recorded_and_ids_hang_on_the_declared_version_alone(
    folder: Path, tmp_path: Path, pairs: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other code of the same version gives the same ids; the manifest tells the two apart."""
    found = []
    for place, (words, version) in enumerate(((", not at all", 1), (", never", 1), (", never", 2))):
        own = tree(tmp_path / str(place), generate__perturb__deny=DENY.replace("version=1", f"version={version}"), verify__short=SHORT)
        (own / "generate" / "perturb" / "_words.py").write_text(f"WORDS = {words!r}\n", encoding="utf-8")
        monkeypatch.setenv(plugins.ENVIRONMENT, str(own))
        negforge.run("generate perturb.deny", pairs, positives=pairs, output=tmp_path / f"data{place}", shards=1)
        entry = json.loads((tmp_path / f"data{place}" / ".negforge" / "v1" / "manifest.json").read_text(encoding="utf-8"))["stages"][-1]
        rows = pl.read_parquet(tmp_path / f"data{place}" / "data" / "v1" / "*.parquet")
        found.append((set(rows["id"]), entry["third_party"]["generate perturb.deny"]["source_digest"], entry["version"]))
    assert found[1][0] & found[0][0] == min(found[0][0], found[1][0], key=len)
    assert len({digest for _, digest, _ in found}) == 3
    assert [version for *_, version in found] == [1, 1, 2]


# -- clashes and broken files ------------------------------------------------------------------------------------------


def test_a_name_that_is_taken_is_an_error_naming_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours is not shadowed in silence, nor another's; all else works, and the list says so."""
    one, two = tree(tmp_path / "1", verify__short=SHORT, verify__equivalent=SHORT), tree(tmp_path / "2", verify__short=SHORT)
    monkeypatch.setenv(plugins.ENVIRONMENT, f"{one}{os.pathsep}{two}")
    with pytest.raises(UsageError, match="two files are verify equivalent") as caught:
        registry.find("verify", "equivalent")
    assert caught.value.where == f"{ROOT / 'negforge/verify/equivalent.py'} and {one / 'verify/equivalent.py'}"
    with pytest.raises(UsageError, match="two files are verify short") as caught:
        registry.find("verify", "short")
    assert caught.value.where == f"{one / 'verify/short.py'} and {two / 'verify/short.py'}"
    assert "broken: two files are verify equivalent" in good("operators").out
    assert registry.find("verify", "known-positive").fault is None


BODY = "def generate(batch: Pairs) -> Iterator[Edit]:\n    yield from ()\n"
ROW = 'DECLARES = Declares(version=1, scope="row", reads=Pairs)\n'
BROKEN = {
    "no colon": (HEAD + "def generate(batch)\n", "cannot be read: expected ':'", "line 15", "mend the file", True),
    "no DECLARES": (HEAD + BODY, "declares nothing: there is no DECLARES", "deny.py", "write DECLARES = Declares(version=1", True),
    "computed": (HEAD + ROW.replace("1,", "1 + int(1),") + BODY, "version is computed", "line 15", "with literals", True),
    "by place": (HEAD + 'DECLARES = Declares(1, "row")\n' + BODY, "takes each value by name", "line 15", "literals", True),
    "wrong function": (
        HEAD + ROW + BODY.replace("generate", "deny"),
        "has no function generate",
        "deny.py",
        "rename deny to generate",
        True,
    ),
    "unknown word": (HEAD + ROW.replace("scope", "scop") + BODY, "declares 'scop'", "line 15", "did you mean scope?", True),
    "unknown scope": (HEAD + ROW.replace('"row"', '"rows"') + BODY, "scope 'rows', which is none of", "line 15", "did you mean row?", True),
    "unknown kind": (
        HEAD + ROW.replace("=Pairs", "=Pair") + BODY,
        "reads 'Pair', which is no kind",
        "line 15",
        "did you mean Pairs?",
        True,
    ),
    "no version": (HEAD + ROW.replace("version=1, ", "") + BODY, "declares no version", "line 15", "version=1", True),
    "a text for a tuple": (
        HEAD + ROW.replace("reads", 'evidence=("edit"), reads') + BODY,
        "no tuple of texts",
        "line 15",
        "with the comma",
        True,
    ),
    "look-around": (
        HEAD + ROW.replace("reads", 'candidates="(?=a)", reads') + BODY,
        "no regular expression",
        "line 15",
        "Rust dialect",
        True,
    ),
    "no kind": (HEAD + ROW.replace(", reads=Pairs", "") + BODY, "does not say what it reads", "deny.py", "add reads=Pairs", False),
    "no module": (
        "import nowhere_at_all\n" + HEAD + ROW + BODY,
        "cannot be imported: ModuleNotFoundError",
        "line 1",
        "install what holds",
        False,
    ),
    "raises": (HEAD + ROW + "x = 1 / 0\n" + BODY, "ZeroDivisionError: division by zero", "line 16", "mend the file", False),
    "unknown verifier": (
        HEAD + ROW.replace("reads", 'verifiers=("known-positiv",), reads') + BODY,
        "declares a verifier 'known-positiv'",
        "deny.py",
        "did you mean known-positive?",
        False,
    ),
    "option without help": (
        HEAD + ROW + BODY.replace("Pairs)", "Pairs, *, n: int = 1)"),
        "option 'n' has no help",
        "line 16",
        "Field(",
        False,
    ),
    "option without type": (HEAD + ROW + BODY.replace("Pairs)", "Pairs, *, n=1)"), "option 'n' has no type", "line 16", "Annotated", False),
    "option in place": (
        HEAD + ROW + BODY.replace("Pairs)", "Pairs, n: int = 1)"),
        "nobody gives generate its 'n'",
        "line 16",
        "`*,`",
        False,
    ),
    "taken name": (
        HEAD + ROW + BODY.replace("Pairs)", 'Pairs, *, output: Annotated[str, Field(description="Out.")] = "")'),
        "has the name of a flag",
        "line 16",
        "another name",
        False,
    ),
    "no batch": (HEAD + ROW + BODY.replace("batch: Pairs", ""), "generate takes no batch", "line 16", "def generate(batch", False),
    "unknown name": (
        HEAD + ROW + BODY.replace("batch: Pairs", "batch: 'Pears'"),
        "cannot be read: name 'Pears'",
        "line 16",
        "import",
        False,
    ),
    "odd type": (
        HEAD + ROW + BODY.replace("Pairs)", 'Pairs, *, n: Annotated[pl.Series, Field(description="N.")] = 1)'),
        "its options cannot be read",
        "line 16",
        "use texts",
        False,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_on_use_and_breaks_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What, where and how to mend it; what can be seen unimported, the list shows, beside all others."""
    text, what, where, mend, is_seen = BROKEN[name]
    monkeypatch.setenv(plugins.ENVIRONMENT, str(tree(tmp_path / name, generate__deny=text, verify__short=SHORT)))
    with pytest.raises(UsageError) as caught:
        registry.find("generate", "deny")
    error = caught.value
    assert what in error.what
    assert where in error.where
    assert mend in error.mend
    assert (error.exit_code, "generate deny" in error.what) == (2, True)
    listing = good("operators").out
    assert "Deny a text, by words of its own. [" in listing.split("verify short")[1]
    assert ("broken: " in listing) == is_seen
    assert registry.find("verify", "short")
    done = call("generate", "deny", "--help")
    assert (done.code, what in done.err) == (2, True)


def test_a_helper_imported_as_if_it_were_a_package_is_told_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies beside an operator is imported by a dot."""
    folder = tree(tmp_path, generate__deny="import _words\n" + HEAD + ROW + BODY, generate___words="")
    (folder / "generate" / "_words.py").write_text("", encoding="utf-8")
    monkeypatch.setenv(plugins.ENVIRONMENT, str(folder))
    with pytest.raises(UsageError) as caught:
        registry.find("generate", "deny")
    assert caught.value.mend == "what lies beside it is imported as `from ._words import ...`"


# -- wrong answers -----------------------------------------------------------------------------------------------------

EDITS = 'DECLARES = Declares(version=1, scope="row", reads=Pairs, edits=True)\ndef generate(batch: Pairs):\n    '
MINER = 'DECLARES = Declares(version=1, scope="anchor", reads=Pairs)\ndef generate(batch: Pairs):\n    '
ON_NEGATIVES = 'DECLARES = Declares(version=1, scope="row", reads=Negatives)\ndef {}(batch: Negatives):\n    '
FILTER, VERIFY, SCORE = (ON_NEGATIVES.format(verb) for verb in ("filter", "verify", "score"))
EXPORT = 'DECLARES = Declares(version=1, scope="anchor", reads=Negatives)\ndef export(batch: Negatives):\n    '
DEDUPE = 'DECLARES = Declares(version=1, scope="table", reads=Negatives)\ndef keys(batch: Negatives):\n    {}\ndef dedupe(narrow: Negatives):\n    {}\n'
KEYS = 'return batch.frame.select(pl.col("id").hash(1).alias("group"), "id")'
WRONG = {
    "edit beyond": ("generate", EDITS + 'yield Edit(batch["id"][0], 0, 9999, "x")', "from 0 to 9999, whose text has", "match.span()"),
    "edit backwards": ("generate", EDITS + 'yield Edit(batch["id"][0], 3, 1, "x")', "from 3 to 1", "match.span()"),
    "edit of a part": ("generate", EDITS + 'yield Edit(batch["id"][0], 0.5, 1, "x")', "from 0.5 to 1", "match.span()"),
    "edit to nothing": ("generate", EDITS + 'yield Edit(batch["id"][0], 0, 1, None)', "to None", "the text that replaces"),
    "edit of another": ("generate", EDITS + 'yield Edit("who", 0, 1, "x")', "unknown row id 'who'", "use the ids of the batch"),
    "edits undeclared": (
        "generate",
        EDITS.replace(", edits=True", "") + 'yield Edit(batch["id"][0], 0, 1, "x")',
        "does not declare that it edits",
        "add edits=True",
    ),
    "return for yield": (
        "generate",
        EDITS + 'yield Refusal(batch["id"][0], "x")\n    return Edit(batch["id"][1], 0, 1, "x")',
        "returned an Edit where it should go on yielding",
        "write yield instead of return",
    ),
    "no edit": ("generate", EDITS + 'yield (batch["id"][0], "x")', "yielded ('", "yield Edit(row_id, start, end, new)"),
    "refusal": ("generate", EDITS + 'yield Refusal(batch["id"][0], None)', "for None", "one word"),
    "nothing": ("generate", EDITS + "return None", "returned nothing", "yield an Edit or a Refusal"),
    "raises": (
        "generate",
        EDITS + 'yield Edit(batch["id"][0], 0, len(batch["text"]), "")',
        "failed: ColumnNotFoundError",
        "mend the operator",
    ),
    "batch changed": ("generate", EDITS + 'batch.frame.drop_in_place("positive")\n    return []', "changed the batch", "with_columns"),
    "cell changed": ("generate", EDITS + 'batch.frame[0, "positive"] = "X"\n    yield from ()', "changed the batch", "with_columns"),
    "no id": ("generate", MINER + 'return pl.DataFrame({"negative": ["x"]})', "without a column anchor_id", "it has negative"),
    "no text": ("generate", MINER + 'return batch.frame.select("anchor_id")', "without a column negative", "it has anchor_id"),
    "another anchor": (
        "generate",
        MINER + 'return pl.DataFrame({"anchor_id": ["?"], "negative": ["x"]})',
        "an unknown anchor_id",
        "of the batch",
    ),
    "null text": (
        "generate",
        MINER + 'return batch.frame.select("anchor_id", pl.lit(None).alias("negative"))',
        "negative is null",
        "leave those",
    ),
    "filter short": (
        "filter",
        FILTER + 'return drops(batch["label"].head(1))',
        "returned a DataFrame of 1 rows for a batch of",
        "a reason for each row",
    ),
    "filter mask": ("filter", FILTER + 'return batch["label"] == "x"', "returned a Series of", "drops(reasons)"),
    "filter columns": ("filter", FILTER + 'return batch.frame.select("id")', "without a column drop_reason", "drops(reasons)"),
    "filter booleans": ("filter", FILTER + 'return drops(batch["label"] == "negative")', "drop_reason of type Boolean", "drops(reasons)"),
    "verify short": ("verify", VERIFY + 'return pl.Series(["unknown"])', "returned a Series of 1 rows", "a verdict for each row"),
    "verify words": (
        "verify",
        VERIFY + 'return pl.Series(["yes"] * len(batch))',
        "the verdict 'yes'",
        "verdicts are negative, positive, unknown",
    ),
    "verify null": ("verify", VERIFY + "return pl.Series([None] * len(batch), dtype=pl.String)", "the verdict None", "verdicts are"),
    "verify booleans": ("verify", VERIFY + "return pl.Series([True] * len(batch))", "the verdict True", "verdicts are"),
    "score short": ("score", SCORE + 'return pl.DataFrame({"score_x": [1.0]})', "returned a DataFrame of 1 rows", "a value for each row"),
    "export": ("export", EXPORT + "return batch.frame", "returned a DataFrame", "Exported(rows)"),
    "provenance": ("export", EXPORT + "return Exported(batch.frame, batch.frame.head(1))", "with 1 of provenance", "give each row its own"),
    "keys": (
        "dedupe",
        DEDUPE.format("return batch.frame.head(1)", "return narrow.frame"),
        "returned a DataFrame of 1 rows",
        "for each row",
    ),
    "group": ("dedupe", DEDUPE.format(KEYS.replace(".hash(1)", ""), "return narrow.frame"), "group of type String", "64-bit key"),
    "decision": ("dedupe", DEDUPE.format(KEYS, "return narrow.frame"), "without a column drop_reason", "the rows to drop"),
}


@pytest.fixture(scope="module")
def mined() -> pl.DataFrame:
    """A few negatives."""
    pairs = pl.read_ndjson(SAMPLE / "pairs.jsonl")
    return negforge.run("generate perturb.number", pairs.head(20)).kept


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_told_as_the_operators_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pairs: pl.DataFrame, mined: pl.DataFrame, name: str
) -> None:
    """What it answered, in which file, and what it should have been; an exception names the line it came up in."""
    verb, body, what, mend = WRONG[name]
    monkeypatch.setenv(plugins.ENVIRONMENT, str(tree(tmp_path, **{f"{verb}__odd": HEAD + body + "\n"})))
    with pytest.raises(OperatorError) as caught:
        negforge.run(f"{verb} odd", pairs if verb == "generate" else mined)
    error = caught.value
    assert error.what.startswith(f"{verb} odd ")
    assert what in error.what
    assert mend in error.mend
    assert error.where == str(tmp_path / verb / "odd.py") + (", line 17" if name == "raises" else "")
    assert error.exit_code == 70


def test_a_wrong_answer_in_a_worker_arrives_as_one_message(tmp_path: Path, table: Path) -> None:
    """No traceback of ours stands before it, and nothing is written."""
    folder = tree(tmp_path / "own", generate__odd=HEAD + WRONG["raises"][1] + "\n")
    done = call("--plugins", folder, "generate", "odd", table, "--workers", "2", "--batch-size", "30", "-o", tmp_path / "n.parquet")
    assert done.code == 70
    assert done.err.startswith("error: generate odd failed: ColumnNotFoundError")
    assert "Traceback" not in done.err
    assert not (tmp_path / "n.parquet").exists()


def test_our_own_operators_are_blamed_for_nothing_that_a_disk_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pairs: pl.DataFrame
) -> None:
    """A full disk is a full disk in an operator of others too."""
    body = EDITS + 'raise OSError(28, "No space left on device")\n'
    monkeypatch.setenv(plugins.ENVIRONMENT, str(tree(tmp_path, generate__odd=HEAD + body)))
    with pytest.raises(OSError, match="No space left") as caught:
        negforge.run("generate odd", pairs)
    assert not isinstance(caught.value, NegforgeError)


@pytest.mark.parametrize(("cost", "calls"), [("free", 0), ("model", None)])
def test_a_plan_tells_no_cost_that_is_not_known(cost: str, calls: int | None, tmp_path: Path, table: Path) -> None:
    """What an operator declares free costs nothing; for another, calls, tokens and price are null, and in words not known."""
    text = SHORT.replace("version=1", f'version=1, cost="{cost}"')
    folder = tree(tmp_path / "own", verify__short=text)
    good("generate", "perturb.number", table, "-o", tmp_path / "n.parquet")
    plan = json.loads(good("--plugins", folder, "verify", "short", tmp_path / "n.parquet", "--dry-run").out)
    assert [plan[name] for name in ("model_calls", "tokens", "cost")] == [calls] * 3
    stage = f'[[stage]]\nname = "s"\nuse = "verify short"\ninput = "{tmp_path}/n.parquet"\noutput = "{tmp_path}/v.parquet"\n'
    (tmp_path / "p.toml").write_text(stage, encoding="utf-8")
    said = good("--plugins", folder, "run", tmp_path / "p.toml", "--dry-run").out
    assert f"model calls: {'not known' if calls is None else 0}, cost: {'not known' if calls is None else 0}\n" in said

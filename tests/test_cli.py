"""The command line: help, messages, streams, signals and exit codes, in this process and in real pipes."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.ipc
import pytest

from negforge import registry
from negforge.errors import NegforgeError
from negforge.options import declared_options
from negforge.registry import Operator
from negforge.tables import format_of
from tests.conftest import ROOT
from tests.shell import COMMAND, call, good, living, on_terminal, run, shell, start

HEAVY = ("polars", "pyarrow", "datasets", "openai", "numpy", "tantivy")
PAIRS = ROOT / "sample_data/pairs.jsonl"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tables: pairs, a corpus, negatives as a file and as a stream of many batches, a dataset."""
    folder = tmp_path_factory.mktemp("tables")
    good("ingest", "pairs", PAIRS, "-o", folder / "pairs.parquet")
    good("ingest", "corpus", ROOT / "sample_data/beir/corpus.jsonl", "-o", folder / "corpus.parquet")
    mine: list[str | Path] = [
        "generate",
        "mine.bm25",
        folder / "pairs.parquet",
        "--corpus",
        folder / "corpus.parquet",
        "-n",
        "4",
        "--workers",
        "1",
    ]
    good(*mine, "-o", folder / "negatives.parquet")
    (folder / "negatives.arrow").write_bytes(start(*mine, "--batch-size", "5", "-o", "-").communicate()[0])
    good("dedupe", "exact", folder / "negatives.parquet", "-o", folder / "set")
    return folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of processes; nothing may be left in it."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert not any(folder.iterdir()), "scratch is left"


# -- help --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["operators"],
        ["operators", "--json"],
        *([verb, "--help"] for verb in registry.VERBS if registry.operators(verb)),
    ],
)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    """The help of the app and of a verb, and the list of operators, come without the libraries that do the work."""
    code = f"import sys, negforge.cli as cli\ntry: cli.app({words!r})\nexcept SystemExit as end: assert end.code == 0\nprint(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert done.stderr == ""


def test_starting_costs_little_more_than_typer() -> None:
    """The help page takes at most three times the processor time of importing Typer, and adds few modules."""

    def seconds(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    helped = "import sys; sys.argv[1:] = ['--help']; import negforge.cli as cli; cli.main()"
    assert min(seconds(helped) for _ in range(4)) < 3 * min(seconds("import typer") for _ in range(4))
    count = "; import sys; print(len(sys.modules))"
    modules = [
        int(subprocess.run([sys.executable, "-c", code + count], capture_output=True, check=True).stdout)
        for code in ("import typer", "import negforge.cli")
    ]
    assert modules[1] - modules[0] < 40


def test_help_lists_verbs_in_the_order_of_the_data() -> None:
    """Verbs first, each with its whole summary, and the example as it is typed."""
    out = good("--help").out
    places = [
        out.index(f"\n  {name} ") for name in [*(verb for verb in registry.VERBS if registry.operators(verb)), "run", "show", "operators"]
    ]
    assert places == sorted(places)
    assert "    negforge ingest pairs qa.jsonl \\\n      | negforge generate mine.bm25 --corpus corpus.parquet -n 8 \\\n" in out
    assert "..." not in out.replace("[ARGS]...", "")


@pytest.mark.parametrize("operator", registry.every_operator(), ids=lambda one: one.title.replace(" ", "-"))
def test_every_option_of_an_operator_has_help(operator: Operator) -> None:
    """Each flag stands in the help page with its text, brackets and all, its default, and no type in angle brackets."""
    out = " ".join(good(operator.verb, operator.name, "--help").out.split())
    for name, parameter in declared_options(operator).items():
        text = next(part.description for part in parameter.annotation.__metadata__ if hasattr(part, "description"))
        assert f"--{name.replace('_', '-')}" in out
        assert " ".join(text.split()).replace("- ", "-") in out.replace("- ", "-"), name
        if parameter.default is parameter.empty:
            assert "[required]" in out
    for side, kind in operator.sides.items():
        assert f"--{side} TABLE A table of {kind.kind.name}. [required]" in out
    assert "<str>" not in out
    assert "list[" not in out


def test_an_option_of_one_letter_has_a_short_flag(tmp_path: Path, tables: Path) -> None:
    """`-k 2` is `--k 2`, for any operator's option of one letter."""
    mined = tmp_path / "mined.parquet"
    good("generate", "mine.bm25", PAIRS, "--corpus", tables / "corpus.parquet", "-n", "3", "-o", mined)
    short, long = (good("filter", "top", mined, flag, "2", "--to", "jsonl") for flag in ("-k", "--k"))
    assert short.out == long.out != ""


def test_brackets_in_help_survive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich would take `[...]` in an operator's texts for markup and print nothing."""
    path = tmp_path / "odd.py"
    path.write_text(
        '"""Keep list[int] [as is], [/b] included.\n\nSource: [1].\n"""\n'
        "from typing import Annotated\nfrom pydantic import Field\nfrom negforge.contract import Declares\nfrom negforge.records import Negatives\n"
        'DECLARES = Declares(version=1, scope="row", reads=Negatives)\n'
        'def filter(batch: Negatives, *, shape: Annotated[str, Field(description="Such as [red]a[/red] or a[0].")] = "[x]"): ...\n',
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "operators", lambda verb: {"odd": Operator("filter", "odd", "odd", path)} if verb == "filter" else {})
    out = good("filter", "odd", "--help").out
    assert "Keep list[int] [as is], [/b] included." in out
    assert "Such as [red]a[/red] or a[0]. [default: [x]]" in out
    assert "Keep list[int] [as is], [/b] included." in good("filter", "--help").out


def test_help_fits_the_terminal() -> None:
    """At 80 columns no line but the example is wider; at 200 the page is wider, and still a page."""
    narrow = on_terminal(["generate", "mine.bm25", "--help"], columns=80).out.splitlines()
    wide = on_terminal(["generate", "mine.bm25", "--help"], columns=200).out.splitlines()
    assert [line for line in narrow if len(line) > 80] == [line for line in narrow if line.startswith("  negforge generate")]
    assert 80 < max(map(len, wide)) <= 110
    assert len(wide) < len(narrow)


def test_completion_knows_operators_and_choices() -> None:
    """The shell completes verbs, operators, flags and the values of a closed set."""

    def completed(line: str) -> list[str]:
        words = shlex.split(line)
        count = len(words) - 1 if not line.endswith(" ") else len(words)
        env = {"_NEGFORGE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(count)}
        return run(env=env).out.split()

    assert completed("negforge gen") == ["generate"]
    assert completed("negforge generate mine.b") == ["mine.bm25"]
    assert completed("negforge generate mine.bm25 --dep") == ["--depth"]
    assert completed("negforge generate mine.bm25 --tokeniser s") == ["simple"]
    assert "mine.bm25" in completed("negforge generate nothing ")


def test_completion_knows_versions_and_the_stages_of_a_pipeline(tables: Path, tmp_path: Path) -> None:
    """`DIR@` gives the versions of a dataset, `--set` the stages of the file and the options of one; of anything else, nothing."""

    def completed(line: str) -> list[str]:
        env = {"_NEGFORGE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        return run(env=env, cwd=ROOT).out.split()

    for k in ("1", "2"):
        good("filter", "top", tables / "negatives.parquet", "--k", k, "-o", tmp_path / "set")
    for words in ("show", "diff x", "check", "merge x", "push", "log", "filter top", "generate mine.bm25 x --corpus"):
        assert completed(f"negforge {words} {tmp_path}/set@") == [f"{tmp_path}/set@v1", f"{tmp_path}/set@v2"]
    assert completed(f"negforge show {tmp_path}/nothing@v") == []
    run_it = "negforge run pipelines/quickstart.toml --set"
    names = [one["name"] for one in tomllib.loads((ROOT / "pipelines/quickstart.toml").read_text(encoding="utf-8"))["stage"]]
    assert completed(f"{run_it} {names[0][0]}")[0] == f"{names[0]}."
    mine = next(name for name in names if "mine" in name)
    assert completed(f"{run_it} {mine}.num") == [f"{mine}.num_negatives="]
    assert completed(f"negforge run nothing.toml --set {mine}.") == []


def test_text_between_stages_is_warned_of(tables: Path, tmp_path: Path) -> None:
    """Its dropped rows and history lie beside it and stay there; the word is said, and what comes next does not lead there."""
    done = good("generate", "perturb.number", tables / "pairs.parquet", "-o", tmp_path / "n.jsonl")
    assert f"next: negforge show {tmp_path / 'n.jsonl'}" in done.err
    done = good("dedupe", "exact", tmp_path / "n.jsonl", "-o", tmp_path / "set")
    assert f"{tmp_path / 'n.jsonl'} is text: its dropped rows and its history are not read" in done.err
    assert "is text" not in good("dedupe", "exact", tables / "negatives.parquet", "-o", tmp_path / "other").err
    assert "is text, which carries no digest to check" in call("check", tmp_path / "n.jsonl").err
    (tmp_path / "n.dropped.parquet").unlink()
    assert "is text" not in good("dedupe", "exact", tmp_path / "n.jsonl", "-o", tmp_path / "set").err


# -- usage -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "what", "mend"),
    [
        ("genrate mine.bm25", "there is no command 'negforge genrate'", "did you mean generate?"),
        ("frobnicate", "there is no command 'negforge frobnicate'", "negforge --help lists them"),
        ("generate mine.bm52", "there is no operator 'generate mine.bm52'", "did you mean mine.bm25?"),
        ("generate bm25", "there is no operator 'generate bm25'", "did you mean mine.bm25?"),
        ("filter mine.bm25", "'mine.bm25' is not an operator of filter", "type negforge generate mine.bm25"),
        ("operators shw", "there is no command 'negforge operators shw'", "did you mean show?"),
        ("operators show mine.bm26", "there is no operator 'mine.bm26'", "did you mean mine.bm25?"),
        ("operators show", "missing argument 'NAME'", "negforge operators show --help"),
        ("--sed 1", "negforge has no option '--sed'", "negforge --help lists them"),
        ("generate mine.bm25 --dept 3", "negforge generate mine.bm25 has no option '--dept'", "did you mean --depth?"),
        ("generate mine.bm25 --dep 3", "negforge generate mine.bm25 has no option '--dep'", "did you mean --depth?"),
        (
            "generate mine.bm25 --num_negatives 3",
            "negforge generate mine.bm25 has no option '--num_negatives'",
            "did you mean --num-negatives?",
        ),
        ("generate mine.bm25 --copus x", "negforge generate mine.bm25 has no option '--copus'", "did you mean --corpus?"),
        ("generate mine.bm25 -k 3", "negforge generate mine.bm25 has no option '-k'", "negforge generate mine.bm25 --help lists them"),
        ("filter where --where x", "negforge filter where has no option '--where'", "negforge filter where --help lists them"),
        ("filter top --k", "option '--k' requires an argument", "negforge filter top --help"),
        ("filter top --dry-run=3", "option '--dry-run' does not take a value", "negforge filter top --help"),
        ("run p.toml --sede 1", "negforge run has no option '--sede'", "did you mean --seed?"),
        ("run p.toml again", "got unexpected extra argument(s) (again)", "negforge run --help"),
        ("run", "missing argument 'FILE.toml'", "negforge run --help"),
        ("show", "missing argument 'TABLE'", "negforge show --help"),
        ("show x --rows -1", "--rows: Input should be greater than or equal to 0", "negforge show --help"),
        ("show x --rows many", "--rows: Input should be a valid integer", "negforge show --help"),
        ("generate mine.bm25 {p} --corpus {c} --depth abc", "--depth takes a whole number of at least 1, not 'abc'", "--depth N: How many"),
        ("generate mine.bm25 {p} --corpus {c} --depth 0", "--depth takes a whole number of at least 1, not '0'", "--depth N: How many"),
        (
            "generate mine.bm25 {p} --corpus {c} -n 1.5",
            "--num-negatives takes a whole number of at least 1, not '1.5'",
            "--num-negatives N",
        ),
        (
            "generate mine.bm25 {p} --corpus {c} --batch-size -1",
            "--batch-size takes a whole number of at least 1, not '-1'",
            "--batch-size N",
        ),
        (
            "generate mine.bm25 {p} --corpus {c} --tokeniser smple",
            "--tokeniser takes one of simple, english, whitespace",
            "did you mean simple?",
        ),
        ("generate mine.bm25 {p}", "generate mine.bm25 needs --corpus", "name a file, a folder or -"),
        ("generate mine.bm25 --corpus -", "standard input is named twice", "name one of the inputs as a file"),
        ("generate mine.bm25 - --corpus -", "standard input is named twice", "name one of the inputs as a file"),
        ("filter top {p}", "--k is missing", "--k N: How many negatives of each anchor stay."),
        ("ingest pairs {p} --to jsno", "--to takes one of jsonl, csv, arrow, not 'jsno'", "did you mean jsonl?"),
        ("ingest pairs {p} --to csv -o x.csv", "--to is for standard output", "let the file's name say the format"),
        ("ingest pairs {p} --json", "--json and the rows both want standard output", "pass -o FILE or -o DIR"),
        ("ingest pairs {p} --json -o -", "--json and the rows both want standard output", "pass -o FILE or -o DIR"),
        ("ingest pairs {p} -o x.tsv", "cannot write x.tsv", "choose one of these, or a folder"),
        ("ingest pairs {p} -o sample_data", "sample_data is not empty and not a dataset of negforge", "name a new or an empty folder"),
        ("ingest pairs {p} -o LICENSE", "LICENSE is a file, not a folder", "name a folder, or a file with a known suffix"),
        ("ingest pairs --text question --anchor q {p}", "--text stands for both --anchor and --positive", "pass --text alone"),
    ],
)
def test_what_is_typed_wrong_exits_2(words: str, what: str, mend: str, tables: Path) -> None:
    """What was wrong and how to mend it, with the nearest name; nothing on stdout, and an unknown option is never ignored."""
    line = words.format(p=PAIRS, c=tables / "corpus.parquet")
    done = call(*line.split(), data=b"")
    assert (done.code, done.out) == (2, ""), done.err
    first, *rest = done.err.splitlines()
    assert first.startswith(f"error: {what}")
    assert rest[-1].startswith(f"  mend: {mend}")
    assert all(one.startswith(("  at:   ", "  mend: ")) for one in rest)


def test_several_faults_are_told_together() -> None:
    """All that is wrong with a command comes in one go."""
    done = call("filter", "top", "x.parquet", "--by", "", "--limit", "0", "--order", "up", "-o", "x.tsv")
    assert done.code == 2
    assert done.err.startswith("error: the command has 4 faults\n- --k is missing\n  at:   filter top\n  mend: --k N: ")
    assert [line.partition(" takes")[0] for line in done.err.splitlines() if line.startswith("- ")] == [
        "- --k is missing",
        "- --order",
        "- --limit",
        "- cannot write x.tsv",
    ]


@pytest.mark.parametrize("words", [[], ["generate"], ["filter"]])
def test_nothing_typed_shows_the_help(words: list[str]) -> None:
    """The help page goes to stderr, since it was not asked for, and the exit code is that of a usage error."""
    done = call(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"Usage: {' '.join(['negforge', *words])} [OPTIONS] COMMAND")
    assert "error:" not in done.err


# -- where rows go -----------------------------------------------------------------------------------------------------


def test_rows_on_stdout_counts_on_stderr() -> None:
    """`--to jsonl` prints kept rows, and stderr the counts with their unit."""
    done = good("ingest", "pairs", PAIRS, "--to", "jsonl")
    assert [json.loads(line)["id"] for line in done.out.splitlines()][:2] == ["q01-d003", "q01-d004"]
    assert len(done.out.splitlines()) == 80
    assert done.err.splitlines() == ["ingest pairs: seen 80, kept 80, dropped 0 (rows)", done.err.splitlines()[1]]
    assert done.err.splitlines()[1].startswith("  wrote 80 rows to standard output (")
    assert good("ingest", "pairs", PAIRS, "--to", "csv").out.splitlines()[0] == "id,anchor_id,anchor,positive,positive_id,topic"


@pytest.mark.parametrize("words", [[], ["-o", "-"], ["--to", "arrow"], ["-o", "-", "--to", "arrow"]])
def test_a_pipe_carries_a_stream_with_an_end(words: list[str]) -> None:
    """Off a terminal the default is an Arrow stream, whose last batch says that it is whole."""
    done = subprocess.run([*COMMAND, "ingest", "pairs", str(PAIRS), *words], capture_output=True, check=True)
    reader = pyarrow.ipc.open_stream(done.stdout)
    ends = []
    with contextlib.suppress(StopIteration):
        while True:
            batch = reader.read_next_batch_with_custom_metadata()
            ends.append(batch.custom_metadata is not None)
    assert ends[-1]
    assert sum(ends) == 1
    assert b"next:" not in done.stderr
    assert b"rows_digest" not in done.stderr


@pytest.mark.parametrize("name", ["x.parquet", "x.jsonl", "x.csv", "x.arrow", "set", "new/folder/x.parquet"])
def test_an_output_of_each_form_reads_back(name: str, tables: Path, tmp_path: Path) -> None:
    """Each file and a dataset hold the rows that a later stage needs; a second run changes none of them."""
    out = tmp_path / name
    best: list[str | Path] = ["filter", "top", tables / "negatives.parquet", "--k", "2", "-o", out]
    done = good(*best)
    assert done.out == ""
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert "unchanged: " in good(*best).err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
    again = json.loads(good("filter", "top", out, "--k", "1", "-o", tmp_path / "again.parquet", "--json").out)
    straight = json.loads(
        good("filter", "top", tables / "negatives.parquet", "--k", "1", "-o", tmp_path / "straight.parquet", "--json").out
    )
    assert again["rows_digest"] == straight["rows_digest"]


def test_json_is_one_document(tables: Path, tmp_path: Path) -> None:
    """The report alone is on stdout, with the counts, the place and the digests; the summary stays on stderr unless -q."""
    words: list[str | Path] = ["filter", "top", tables / "negatives.parquet", "--k", "2", "--json", "-o", tmp_path / "set"]
    done = good(*words)
    report = json.loads(done.out)
    assert set(report) >= {
        "stage",
        "output",
        "version",
        "unchanged",
        "rows",
        "dropped_rows",
        "counts",
        "rows_digest",
        "content_digest",
        "seconds",
    }
    assert (report["stage"], report["output"], report["version"], report["unchanged"]) == ("filter top", f"{tmp_path}/set@v1", 1, False)
    assert report["counts"]["seen"] == report["counts"]["kept"] + sum(report["counts"]["dropped"].values())
    assert "filter top: seen" in done.err
    again = good(*words, "-q")
    assert (again.err, json.loads(again.out)["unchanged"]) == ("", True)


def test_quiet_says_nothing(tmp_path: Path) -> None:
    """-q prints no summary and no next step, and still prints errors."""
    done = good("ingest", "pairs", PAIRS, "-q", "-o", tmp_path / "x.parquet")
    assert (done.out, done.err) == ("", "")
    assert call("ingest", "pairs", "nothing.jsonl", "-q").err.startswith("error: there is no file nothing.jsonl")


def test_verbose_logs_each_batch(tables: Path, tmp_path: Path) -> None:
    """-v logs a line a batch to stderr; without it there is none."""
    words: list[str | Path] = [
        "verify",
        "equivalent",
        tables / "negatives.arrow",
        "--batch-size",
        "50",
        "--workers",
        "1",
        "-o",
        tmp_path / "x.parquet",
    ]
    loud = good(*words, "-v").err.splitlines()
    batches = [line for line in loud if line.startswith("DEBUG negforge.progress: verify equivalent: seen ")]
    assert len(batches) > 3
    assert sum(line.startswith("INFO negforge.progress: verify equivalent: ") for line in loud) == 2
    assert not any(line.startswith(("DEBUG", "INFO")) for line in good(*words).err.splitlines())


@pytest.mark.parametrize(
    "words",
    [
        ["ingest", "pairs", str(PAIRS), "-o", "x.parquet"],
        ["ingest", "beir", str(ROOT / "sample_data/beir"), "-o", "set"],
        ["generate", "mine.bm25", "{t}/pairs.parquet", "--corpus", "{t}/corpus.parquet", "-n", "2", "-o", "x.parquet"],
        ["generate", "mine.bm25", "-", "--corpus", "{t}/corpus.parquet", "--limit", "3", "-o", "x.parquet"],
        ["filter", "top", "{t}/negatives.parquet", "--k", "2", "-o", "set"],
        ["export", "sentence-transformers", "{t}/set", "-o", "x.parquet"],
    ],
    ids=["file", "folder", "sides", "stdin", "filter", "dataset"],
)
def test_dry_run_prints_the_plan_and_writes_nothing(words: list[str], tables: Path, tmp_path: Path, temporary: Path) -> None:
    """One JSON document with the effective options; no file, no dataset, no index in the cache, no scratch."""
    words = [word.format(t=tables) for word in words]
    (tmp_path / "work").mkdir()
    cache = tmp_path / "cache"
    data = PAIRS.read_bytes()
    done = run(*words, "--dry-run", data=data, cwd=tmp_path / "work", env={"NEGFORGE_CACHE": str(cache), "PYTHONPATH": str(ROOT)})
    assert (done.code, done.err) == (0, "")
    plan = json.loads(done.out)
    assert plan["stage"] == " ".join(words[:2])
    assert plan["output"] == words[-1]
    assert not any((tmp_path / "work").iterdir())
    assert not cache.exists()
    if words[0] == "generate":
        units = 3 if "--limit" in words else 70
        assert plan["slots"] == units * plan["options"]["num_negatives"]
        assert plan["sides"] == {"corpus": f"{tables}/corpus.parquet"}
        assert plan["options"]["depth"] == 100


def test_an_option_given_twice_is_refused() -> None:
    """Click would take the last one without a word; what takes several goes on taking them."""
    done = call("filter", "top", "x.parquet", "--k", "2", "-k3")
    assert (done.code, done.err.splitlines()[:2]) == (2, ["error: -k is given twice", "  at:   '2' and '3'"])
    assert call("filter", "where", "x.parquet", "--keep", "rank < 2", "--keep=rank > 0").code == 2
    assert "is given twice" not in call("filter", "where", "x.parquet", "--keep", "--keep", "-q", "-q").err
    assert "is given twice" not in call("ingest", "pairs", PAIRS, "--rename", "a=b", "--rename", "c=d", "--dry-run").err


def test_an_interrupt_says_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception without words of its own gets ours."""
    from negforge import cli, exits

    for error, code in ((KeyboardInterrupt(), 130), (exits.Terminated(), 143)):
        monkeypatch.setattr(cli, "interruptible", lambda error=error: (_ for _ in ()).throw(error))
        done = call("filter", "top", "x.parquet", "--k", "2")
        assert done.code == code
        assert "nothing half-written is left; run the same command again" in done.err


def test_a_dry_run_finds_what_is_wrong() -> None:
    """It checks options, output and input as a run does."""
    assert call("filter", "top", "x.parquet", "--dry-run").code == 2
    assert call("filter", "top", "nothing.parquet", "--k", "1", "--dry-run").code == 3
    assert call("ingest", "pairs", PAIRS, "-o", "x.tsv", "--dry-run").code == 2


# -- terminals ---------------------------------------------------------------------------------------------------------


def test_a_terminal_gets_a_short_table(tables: Path) -> None:
    """No binary and no flood: eight rows that fit, and a word on how to keep them all."""
    for columns in (80, 200):
        done = on_terminal(["filter", "top", tables / "negatives.parquet", "--k", "2"], columns=columns)
        # What a cleared line held is gone.
        lines = [line.rpartition("\r\x1b[K")[2] for line in done.out.replace("\r\n", "\n").split("\n")]
        assert done.code == 0
        head = next(place for place, line in enumerate(lines) if "anchor" in line and "positive" in line)
        assert [line for line in map(_plain, lines[head : head + 9]) if len(line) > columns] == []
        assert lines[head + 9].startswith("filter top: seen ")
        assert "the first of them shown; -o FILE or -o FOLDER keeps all" in lines[head + 10]


def _plain(line: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def test_a_stream_is_not_for_a_terminal() -> None:
    """`-o -` there is refused; `--to jsonl` is not."""
    done = on_terminal(["ingest", "pairs", PAIRS, "-o", "-"])
    assert done.code == 2
    assert "error: an Arrow stream is not for a terminal\r\n  mend: pipe it on, pass -o FILE, or --to jsonl" in done.out
    assert '"anchor":"How long is a lunar day?"' in on_terminal(["ingest", "pairs", PAIRS, "--to", "jsonl"]).out


def test_no_input_at_a_terminal_is_an_error() -> None:
    """A stage does not wait for rows to be typed."""
    done = on_terminal(["filter", "top", "--k", "2"])
    assert done.code == 2
    assert "error: there is no input" in done.out


def test_no_color_and_dumb_terminals(tables: Path) -> None:
    """NO_COLOR leaves no colour; a dumb terminal gets no escape at all."""
    words: list[str | Path] = ["filter", "top", tables / "negatives.parquet", "--k", "2"]
    assert not any(code in on_terminal(words, env={"NO_COLOR": "1"}).out for code in ("\x1b[3", "\x1b[4", "\x1b[9"))
    assert "\x1b[" not in on_terminal(words, env={"TERM": "dumb", "NO_COLOR": "1"}).out


def test_progress_is_drawn_on_a_terminal_only(tmp_path: Path, tables: Path) -> None:
    """A line that is drawn anew and cleared at the end; none with -q, none in a pipe."""
    words: list[str | Path] = ["generate", "mine.random", tables / "pairs.parquet", "--corpus", tables / "corpus.parquet"]
    words += ["-n", "9", "--limit", "20", "--batch-size", "1", "--workers", "1", "-o", tmp_path / "x.parquet"]
    drawn = on_terminal(words).out
    assert "\r\x1b[Kgenerate mine.random: " in drawn
    assert "rows/s" not in drawn.rpartition("\r\x1b[K")[2]
    assert drawn.rpartition("\r\x1b[K")[2].startswith("generate mine.random: asked ")
    assert on_terminal([*words, "-q"]).out == ""
    assert "\r" not in run(*words).err


def test_texts_of_the_data_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """Escapes in cells, in column names and in the message about a bad line are shown, not obeyed."""
    evil = "\x1b]0;owned\x07\x1b[2J"
    (tmp_path / "a.jsonl").write_text(json.dumps({"anchor": evil, "positive": "b"}) + "\n", encoding="utf-8")
    done = on_terminal(["ingest", "pairs", tmp_path / "a.jsonl"])
    assert done.code == 0
    assert "\x1b]0" not in done.out
    assert "\\x1b]0;owned" in done.out
    (tmp_path / "b.jsonl").write_text(f"{{broken {evil}\n", encoding="utf-8")
    bad = call("ingest", "pairs", tmp_path / "b.jsonl")
    assert bad.code == 3
    assert bad.err.replace("\n", "").isprintable()
    assert call("ingest", "pairs", tmp_path / evil.replace("/", "")).err.replace("\n", "").isprintable()


# -- pipes and exit codes ----------------------------------------------------------------------------------------------


def test_four_stages_in_a_pipe(tables: Path, tmp_path: Path) -> None:
    """Four processes give the rows and the dropped rows that files in between give, and all exit 0."""
    line = (
        f"negforge ingest pairs {PAIRS} | negforge generate mine.bm25 --corpus {tables}/corpus.parquet -n 4"
        " | negforge filter top --k 2 | negforge dedupe exact -o piped"
    )
    done = shell(f'{line}; echo "${{PIPESTATUS[@]}}"', tmp_path)
    assert (done.code, done.out) == (0, "0 0 0 0\n"), done.err
    good("filter", "top", tables / "negatives.parquet", "--k", "2", "-o", tmp_path / "top.parquet")
    typed = json.loads(good("dedupe", "exact", tmp_path / "top.parquet", "-o", tmp_path / "typed", "--json").out)
    piped = json.loads((tmp_path / "piped/.negforge/v1/manifest.json").read_text(encoding="utf-8"))
    assert {name: typed[name] for name in piped["digests"]} == piped["digests"]
    assert [stage["stage"] for stage in piped["stages"]] == ["ingest pairs", "generate mine.bm25", "filter top", "dedupe exact"]
    assert done.err.count("next:") == 1


@pytest.mark.parametrize("form", ["jsonl", "csv", "arrow"])
def test_a_reader_that_leaves_is_no_error(form: str, tmp_path: Path, big: Path, temporary: Path) -> None:
    """`| head -1` ends every stage before it quietly with 0, however much is left to print."""
    line = f'negforge ingest pairs {big} | negforge ingest pairs - --to {form} -q | head -c 100 | wc -c; echo "${{PIPESTATUS[@]}}"'
    done = shell(line, tmp_path)
    assert done.out.split() == ["100", "0", "0", "0", "0"], done.err
    assert "Traceback" not in done.err
    assert "Broken" not in done.err


def test_help_into_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    """Nothing complains when the pager goes."""
    done = shell('negforge generate mine.bm25 --help | true; echo "${PIPESTATUS[0]}"; negforge operators --json | head -1', tmp_path)
    assert (done.code, done.out, done.err) == (0, "0\n[\n", "")


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More rows than any pipe holds."""
    path = tmp_path_factory.mktemp("big") / "big.jsonl"
    path.write_text("".join(f'{{"anchor":"a question {n}","positive":"an answer {n}"}}\n' for n in range(30_000)), encoding="utf-8")
    return path


def test_a_failed_producer_stops_the_consumer(tmp_path: Path) -> None:
    """With pipefail the pipe fails; the consumer says why it made nothing."""
    done = shell('negforge ingest pairs nothing.jsonl | negforge filter top --k 1 -o x.parquet; echo "${PIPESTATUS[@]}"', tmp_path)
    assert done.out == "3 3\n"
    assert "error: standard input is empty" in done.err
    assert not any(tmp_path.iterdir())


def test_a_producer_killed_in_mid_pipe(tables: Path, tmp_path: Path, temporary: Path) -> None:
    """SIGKILL of a stage that has written half its rows: the next one publishes nothing and exits 3."""
    data = (tables / "negatives.arrow").read_bytes()
    env = {**os.environ, "TMPDIR": str(tmp_path / "other")}
    (tmp_path / "other").mkdir()  # what was killed cannot clean up; the next command does
    producer = start("verify", "equivalent", "--workers", "1", "--batch-size", "5", env=env)
    consumer = start("dedupe", "exact", "-o", tmp_path / "x.parquet")
    assert producer.stdin is not None
    assert producer.stdout is not None
    producer.stdin.write(data[:60_000])  # what any pipe holds
    producer.stdin.flush()
    half = producer.stdout.read(4096)
    producer.kill()
    half += producer.stdout.read()
    _, err = consumer.communicate(half, timeout=60)
    assert consumer.returncode == 3, err
    assert b"error: standard input was cut off" in err
    assert [path.name for path in tmp_path.iterdir()] != []
    assert not list(tmp_path.glob("*x*"))
    run("operators", "show", "top", env={"TMPDIR": str(tmp_path / "other")})
    run("ingest", "pairs", PAIRS, "-q", "-o", tmp_path / "y.parquet", env={"TMPDIR": str(tmp_path / "other")})
    assert not any((tmp_path / "other").iterdir())


@pytest.mark.parametrize("cut", [0.3, 0.999])
def test_a_stream_without_its_end_is_refused(cut: float, tables: Path, tmp_path: Path) -> None:
    """Cut anywhere, even just before the end mark."""
    data = (tables / "negatives.arrow").read_bytes()
    done = run("filter", "top", "--k", "1", "-o", tmp_path / "x.parquet", data=data[: int(len(data) * cut)])
    assert done.code == 3
    assert "was cut off" in done.err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("sent", "code", "word", "group", "workers"),
    [
        (signal.SIGINT, 130, "interrupted", True, "1"),
        (signal.SIGINT, 130, "interrupted", True, "2"),
        (signal.SIGTERM, 143, "terminated", False, "2"),
        (signal.SIGTERM, 143, "terminated", True, "2"),
    ],
    ids=["interrupt", "interrupt-workers", "terminate-workers", "terminate-all"],
)
def test_a_signal_in_a_long_stage(
    sent: int, code: int, word: str, group: bool, workers: str, big: Path, tables: Path, tmp_path: Path, temporary: Path
) -> None:
    """One line and the right code; no file half-written, no scratch, no process left, and what stood there stands."""
    (tmp_path / "out").mkdir()
    out = tmp_path / "out/x.parquet"
    shutil.copy(tables / "negatives.parquet", out)
    before = out.read_bytes()
    words: list[str | Path] = [
        "generate",
        "mine.random",
        big,
        "--corpus",
        tables / "corpus.parquet",
        "-n",
        "20",
        "--batch-size",
        "50",
        "-v",
    ]
    process = start(*words, "--workers", workers, "-o", out)
    assert process.stderr is not None
    for line in process.stderr:
        if b"DEBUG negforge.progress: generate mine.random: seen" in line:
            break
    if group:
        os.killpg(process.pid, sent)
    else:
        process.send_signal(sent)
    begun = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert time.monotonic() - begun < 20
    lines = [line for line in err.decode().splitlines() if not line.startswith(("DEBUG", "INFO"))]
    assert lines == [f"{word}: nothing half-written is left; run the same command again"]
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["x.parquet"]
    for _ in range(50):
        if not living(process.pid):
            break
        time.sleep(0.1)
    assert living(process.pid) == []


def test_an_interrupt_while_modules_load_is_quiet() -> None:
    """No traceback, though nothing that could catch it is there yet; one that is ignored stays ignored."""
    lines = """
import os, runpy, signal, sys
signal.signal(signal.SIGINT, getattr(signal, sys.argv.pop(1)))

class Interrupts:
    def find_spec(self, name, *_):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
sys.argv = ["negforge", "--version"]
runpy.run_module("negforge", run_name="__main__")
"""
    for handler, code in (("default_int_handler", -signal.SIGINT), ("SIG_IGN", 0)):
        done = subprocess.run([sys.executable, "-c", lines, handler], capture_output=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (code, b"")


def test_an_interrupt_is_heard_once() -> None:
    """Polars and Python would both raise it, the second one in the midst of cleaning up."""
    done = subprocess.run([sys.executable, "-c", _INTERRUPTED], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "heard 20, again 0, missed 0"


_INTERRUPTED = """
import os, signal, sys, threading, time
import polars as pl
from negforge.exits import interruptible

interruptible()
query = pl.LazyFrame({"n": range(100_000)}).select(pl.col("n").cast(pl.String).str.contains("9").sum())
heard = again = missed = 0
for _ in range(20):
    threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()
    end = time.monotonic() + 30
    try:
        while time.monotonic() < end:
            query.collect()
        missed += 1
    except KeyboardInterrupt:
        heard += 1
        try:
            time.sleep(0.05)
        except KeyboardInterrupt:
            again += 1
sys.stdout.write(f"heard {heard}, again {again}, missed {missed}")
"""


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_waiting_for_rows(sent: int, code: int, tables: Path, tmp_path: Path, temporary: Path) -> None:
    """A stage that waits for its producer ends at once, in the middle of a batch."""
    data = (tables / "negatives.arrow").read_bytes()
    process = start("filter", "top", "--k", "1", "-v", "-o", tmp_path / "set")
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(data[:60_000])
    process.stdin.flush()
    assert b"INFO" in process.stderr.readline()
    time.sleep(1)
    process.send_signal(sent)
    assert process.wait(20) == code
    err = process.stderr.read()
    process.stdin.close()
    assert b"Traceback" not in err
    assert not list((tmp_path / "set").rglob("v*"))


def test_a_bug_exits_70_with_its_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What no one foresaw is told apart from what a user can mend."""

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("negforge.runner.run_stage", broken)
    done = call("ingest", "pairs", PAIRS, "-o", tmp_path / "x.parquet")
    assert (done.code, done.out) == (70, "")
    assert "Traceback" in done.err
    assert "ZeroDivisionError: by nought" in done.err
    assert done.err.rstrip().endswith("error: this is a bug of negforge; please report it with the lines above")


def test_an_end_of_file_of_ours_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Typer would call it an abort and hide it; so would it a broken pipe that is not our standard output's."""
    for error in (EOFError("pickle"), BrokenPipeError(32, "a worker's pipe"), FileNotFoundError(2, "gone")):

        def broken(*_: Any, error: Exception = error, **__: Any) -> None:
            raise error

        monkeypatch.setattr("negforge.runner.run_stage", broken)
        assert call("ingest", "pairs", PAIRS).code == 70


@pytest.mark.parametrize("where", ["file/x.parquet", "file/set", "/proc/x.parquet", "/proc/negforge-set"])
def test_an_output_that_cannot_be_written_exits_5(where: str, tmp_path: Path) -> None:
    """A path below a file, a place where nothing can be made."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = call("ingest", "pairs", PAIRS, "-o", where if where.startswith("/") else tmp_path / where)
    assert (done.code, done.out) == (5, ""), done.err
    assert done.err.startswith("error: cannot write: ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", [f"ingest pairs {PAIRS}", f"ingest pairs {PAIRS} --to jsonl", "--help", "operators --json"])
def test_a_full_standard_output_exits_5(words: str, tmp_path: Path) -> None:
    """Rows, text and help alike: no traceback, no complaint at exit."""
    done = shell(f"negforge {words} > /dev/full", tmp_path)
    assert done.code == 5
    assert done.err.startswith("error: cannot write: No space left on device")
    assert "Traceback" not in done.err
    assert "Exception ignored" not in done.err


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (f"negforge ingest pairs {PAIRS} --to jsonl >&-", 5),
        (f"negforge ingest pairs {PAIRS} -q -o x.parquet >&-", 0),
        (f"negforge ingest pairs {PAIRS} -o x.parquet 2>&-", 0),
        ("negforge filter top --k 1 <&-", 3),
        (f"negforge ingest pairs {PAIRS} -q -o x.parquet <&- >&- 2>&-", 0),
    ],
)
def test_closed_streams(line: str, code: int, tmp_path: Path) -> None:
    """A closed stream is no crash; and no file of ours takes its number and gets what is printed."""
    done = shell(line, tmp_path)
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    if "x.parquet" in line:
        assert pl.read_parquet(tmp_path / "x.parquet").height == 80


def test_the_console_script_is_installed() -> None:
    """`negforge` and `python -m negforge` are one."""
    script = Path(sys.executable).with_name("negforge")
    if not script.exists():
        pytest.skip("the package is not installed as a command")
    assert subprocess.run([script, "--version"], capture_output=True, check=True).stdout == run("--version").out.encode()


def test_every_error_has_an_exit_code_of_the_table() -> None:
    """The documented codes, and no other."""
    assert {NegforgeError.exit_code, *(error.exit_code for error in NegforgeError.__subclasses__())} <= {2, 3, 4, 5, 6, 70}


def test_the_command_line_holds_no_data_logic() -> None:
    """cli.py imports none of the libraries that do the work, and stays a page or two."""
    text = (ROOT / "negforge/cli.py").read_text(encoding="utf-8")
    found = {name.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names}
    assert not found & set(HEAVY)
    assert len(text.splitlines()) <= 530


# -- the next step -----------------------------------------------------------------------------------------------------


def next_line(err: str) -> list[str]:
    """The words of the line `next: ...`."""
    found = [line.partition("next: ")[2] for line in err.splitlines() if line.strip().startswith("next: ")]
    assert len(found) == 1, err
    return shlex.split(found[0])


@pytest.mark.parametrize(
    ("first", "way"),
    [
        (["ingest", "beir", str(ROOT / "sample_data/beir"), "-o", "a b/pairs.parquet"], ["ingest corpus", "generate mine.bm25", "dedupe exact", "export sentence-transformers"]),
        (["ingest", "corpus", str(ROOT / "sample_data/beir/corpus.jsonl"), "-o", "corpus.parquet"], ["ingest beir", "generate mine.bm25", "dedupe exact", "export sentence-transformers"]),
        (["ingest", "pairs", str(PAIRS), "-o", "pairs.jsonl"], ["ingest corpus"]),
        (["ingest", "pairs", str(PAIRS), "-o", "set"], ["ingest corpus", "generate mine.bm25", "dedupe exact", "export sentence-transformers"]),
    ],
    ids=["beir", "corpus", "jsonl", "dataset"],
)  # fmt: skip
def test_the_next_step_works_as_it_stands(first: list[str], way: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typing what each stage suggests leads from sources to a file for a trainer, in a folder with a space in its name."""
    monkeypatch.chdir(tmp_path)
    done = good(*first)
    for title in way:
        words = next_line(done.err)
        assert (words[0], " ".join(words[1:3])) == ("negforge", title)
        done = good(*words[1:])
    if way[-1].startswith("export"):
        words = next_line(done.err)
        assert words[1] == "-c"
        assert Path(shutil.which(words[0]) or "").resolve() == Path(sys.executable).resolve()
        env = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
        if first[1] == "beir":  # importing `datasets` takes seconds: once is enough
            loaded = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, check=True, env=env)
            assert "features: ['anchor', 'positive', 'negative']" in loaded.stdout


def test_the_next_step_after_a_score_is_a_threshold(tables: Path, tmp_path: Path) -> None:
    """Calibrate shows what each would do, and names one; the lines work as they stand, and most rows stay."""
    mined, scored = tmp_path / "mined.parquet", tmp_path / "scored.parquet"
    good("generate", "mine.bm25", PAIRS, "--corpus", tables / "corpus.parquet", "-n", "3", "-o", mined)
    words = next_line(good("score", "overlap", mined, "-o", scored).err)
    assert words[1:] == ["calibrate", str(scored), "--by", "overlap"]
    words = next_line(good(*words[1:]).out)
    assert words[1:3] == ["filter", "margin"]
    good(*words[1:])
    kept = [pl.scan_parquet(path).select(pl.len()).collect().item() for path in (scored, Path(words[-1]))]
    assert 0.5 < kept[1] / kept[0] < 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (pl.lit("unknown").alias("label"), "label-unknown 9 (rows); rows labelled `negative` go out, others by --keep-labels"),
        (pl.lit("filter top").alias("dropped_by"), "every row of the input was dropped before"),
        (None, "the input has no rows"),
    ],
    ids=["labels", "dropped", "empty"],
)
def test_an_export_of_nothing_says_so(change: pl.Expr | None, why: str, tables: Path, tmp_path: Path) -> None:
    """No row for a trainer is told with its cause, not passed over in silence."""
    mined, source = tmp_path / "mined.parquet", tmp_path / "in.parquet"
    good("generate", "mine.bm25", PAIRS, "--corpus", tables / "corpus.parquet", "--limit", "3", "-n", "3", "-o", mined)
    rows = pl.read_parquet(mined).filter(pl.col("label") == "negative").head(9)
    (rows.clear() if change is None else rows.with_columns(change)).write_parquet(source)
    for name in ("sentence-transformers", "flag-embedding"):
        told = good("export", name, source, "-o", tmp_path / f"{name}.jsonl").err
        assert f"no row was written: {why}" in told
        assert "next:" not in told


def test_the_next_step_of_what_is_not_known() -> None:
    """Rows on a stream, and a corpus with nothing beside it, suggest nothing."""
    assert "next:" not in good("ingest", "pairs", PAIRS, "--to", "csv").err


def test_a_file_name_is_a_format_or_a_folder() -> None:
    """What `-o` takes for a file is what the readers know."""
    assert [format_of(name)[0] for name in ("a.parquet", "a.jsonl", "a.csv", "a.arrow", "a")] == ["parquet", "jsonl", "csv", "arrow", ""]

"""Pipeline files: checked whole before any work, the same stages as on the command line, every value with its origin."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

from negforge.errors import PipelineError, UsageError
from negforge.pipeline import json_schema, load
from tests.conftest import ROOT
from tests.models import static_model
from tests.shell import call, good, run

CORPUS = 'use = "ingest corpus"\ninput = "sample_data/beir/corpus.jsonl"\n'
PAIRS = 'use = "ingest pairs"\ninput = "sample_data/pairs.jsonl"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, with the sample and the shipped pipelines; temporary files go beside it."""
    here = tmp_path / "here"
    here.mkdir()
    for name in ("sample_data", "pipelines"):
        shutil.copytree(ROOT / name, here / name)
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("NEGFORGE_CACHE", str(tmp_path / "cache"))
    yield here
    assert not any((tmp_path / "tmp").iterdir()), "scratch is left"


def stages(*texts: str) -> str:
    """A pipeline file of stages."""
    return "".join(f"[[stage]]\n{text}\n" for text in texts)


def faults(text: str, *settings: str, **flags: Any) -> list[str]:
    """The faults of a pipeline file, each in one line."""
    Path("p.toml").write_text(text, encoding="utf-8")
    before = sorted(Path().rglob("*"))
    with pytest.raises(PipelineError) as caught:
        load("p.toml", flags, list(settings))
    assert sorted(Path().rglob("*")) == before
    return [" | ".join(part for part in (one.what, one.where, one.mend) if part) for one in caught.value.faults]


def mine(*lines: str) -> str:
    """Pairs, a corpus, and a mining stage with more lines."""
    mining = 'name = "mine"\nuse = "generate mine.random"\ninput = "@pairs"\ncorpus = "@corpus"\noutput = "out/n.parquet"\n'
    return stages(f'name = "pairs"\n{PAIRS}', f'name = "corpus"\n{CORPUS}', mining + "\n".join(lines))


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["num_negativs = 3"], "stage 'mine': generate mine.random has no option 'num_negativs' | it has batch_size, keep_labels, "),
        (["num-negatives = 3"], "stage 'mine': generate mine.random has no option 'num-negatives' | it has batch_size, keep_labels, "),
        (["num_negatives = 0"], "stage 'mine': key 'num_negatives' takes a whole number of at least 1, not 0 | generate mine.random | "),
        (['seed = "x"'], "stage 'mine': key 'seed' takes a whole number of at least 0 and at most 9223372036854775807, not 'x' | "),
        (["verify = 3"], "stage 'mine': key 'verify' takes true or false, not 3 | "),
        (['keep_labels = "positive"'], "stage 'mine': key 'keep_labels' takes a list of texts, not 'positive' | "),
        (['keep_labels = ["postive"]'], "stage 'mine': key 'keep_labels' takes one of unknown, positive, not 'postive' | generate mine"),
        (["depth = 3"], "stage 'mine': generate mine.random has no option 'depth' | "),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_wrong_option_is_told_by_stage_and_key(lines: list[str], fault: str) -> None:
    """Unknown keys, keys spelled as flags, and values of another type or range."""
    found = faults(mine(*lines))
    assert len(found) == 1
    assert found[0].startswith(fault), found[0]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (stages('name = "a"\nuse = "generate mine.bm52"\ninput = "x"'), "there is no operator 'generate mine.bm52' | generate has "),
        (stages('name = "a"\nuse = "ingst pairs"\ninput = "x"'), "stage 'a': there is no verb 'ingst' | verbs: ingest, generate, "),
        (stages('name = "a"\nuse = "merge"\ninput = "x"'),
         'export | negforge --help lists them; several tables are united by a list: input = ["@one", "@two"]'),
        (stages('name = "a"\ninput = "x"'), "stage 'a': there is no `use`"),
        (stages('name = "a"\nuse = 3\ninput = "x"'), "stage 'a': there is no `use`"),
        (stages(PAIRS + 'output = "o.parquet"'), "stage 'number 1': there is no `name`"),
        (stages('name = "a"\nuse = "ingest pairs"\noutput = "o.parquet"'), "stage 'a': there is no `input` | for example"),
        (stages('name = "a"\nuse = "ingest pairs"\ninput = 3\noutput = "o.parquet"'), "stage 'a': key 'input' takes a path or a list of paths, not 3"),
        (stages('name = "a"\nuse = "ingest pairs"\ninput = []\noutput = "o.parquet"'), "stage 'a': key 'input' takes a path or a list of paths, not []"),
        (stages('name = "a"\nuse = "ingest pairs"\ninput = "sample_data/pears.jsonl"\noutput = "o.parquet"'),
         "stage 'a': key 'input': there is no file sample_data/pears.jsonl | did you mean sample_data/pairs.jsonl?"),
        (stages('name = "a"\nuse = "ingest beir"\ninput = "sample_data/bier"\noutput = "o.parquet"'),
         "stage 'a': key 'input': there is no folder sample_data/bier | did you mean beir?"),
        (stages('name = "a"\nuse = "ingest pairs"\ninput = "no/*.jsonl"\noutput = "o.parquet"'), "stage 'a': key 'input': no file matches no/*.jsonl"),
        (stages(f'name = "a"\n{PAIRS}output = "o.tsv"'), "stage 'a': cannot write o.tsv | a file is written as .parquet, "),
        (stages(f'name = "a"\n{PAIRS}output = "-"'), "stage 'a': key 'output' takes a file or a folder"),
        (stages(f'name = "a"\n{PAIRS}output = "sample_data"'), "stage 'a': sample_data is not empty and not a dataset of negforge"),
        (stages(f'name = "a"\n{PAIRS}'), "stage 'a' has no output and no later stage reads it"),
        (stages(f'name = "a"\n{PAIRS}output = "o.parquet"', f'name = "a"\n{CORPUS}output = "c.parquet"'), "stage name 'a' is used twice"),
        (stages(f'name = "a"\n{PAIRS}output = "o.parquet"', f'name = "b"\n{CORPUS}output = "./o.parquet"'), "two stages write o.parquet"),
        (f"sed = 3\n{mine()}", "there is no key 'sed' | p.toml may have stage, seed, limit, workers, batch_size, max_memory | did you mean seed?"),
        (f'seed = "x"\n{mine()}', "key 'seed' takes a whole number"),
        ("limit = 3\n" + stages(f'name = "a"\n{PAIRS}output = "o.parquet"'), "key 'limit' is for no stage of this file"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_a_fault_of_the_file_is_told_before_any_work(text: str, fault: str) -> None:
    """One fault, once, with what mends it; nothing is made."""
    found = faults(text)
    assert len(found) == 1, found
    assert fault in found[0]


@pytest.mark.parametrize(
    ("third", "fault"),
    [
        ('input = "@corpus"\ncorpus = "@corpus"', "key 'input': '@corpus' makes corpus, not pairs"),
        ('input = "@pairs"\ncorpus = "@pairs"', "key 'corpus': '@pairs' makes pairs, not corpus"),
        (
            'input = "@pears"\ncorpus = "@corpus"',
            "key 'input': '@pears' names no earlier stage | earlier: pairs, corpus | did you mean @pairs?",
        ),
        ('input = "@mine"\ncorpus = "@corpus"', "key 'input': '@mine' names no earlier stage"),
        ('input = "@pairs"\ncorpus = "@later"', "key 'corpus': '@later' names no earlier stage"),
        ('input = "@pairs"\ncorpus = ["@corpus"]', "key 'corpus' takes one table, not ['@corpus']"),
        ('input = "@pairs"', "generate mine.random needs --corpus"),
        ('input = "@pairs"\ncorpus = "old.parquet"', "key 'corpus': old.parquet is a table of pairs, not of corpus"),
        (
            'input = "pairs.parquet"\ncorpus = "@corpus"',
            "key 'input': pairs.parquet is what stage 'pairs' writes | write input = \"@pairs\"",
        ),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_wrong_reference_is_told(third: str, fault: str) -> None:
    """An unknown, a later and the stage itself, a table of another kind, a side input that is missing or a list."""
    good("ingest", "pairs", "sample_data/pairs.jsonl", "-o", "old.parquet")
    text = stages(
        f'name = "pairs"\n{PAIRS}output = "pairs.parquet"',
        f'name = "corpus"\n{CORPUS}output = "corpus.parquet"',
        f'name = "mine"\nuse = "generate mine.random"\noutput = "o.parquet"\n{third}',
        f'name = "later"\n{CORPUS}output = "later.parquet"',
    )
    found = faults(text)
    assert len(found) == 1, found
    assert found[0].startswith(f"stage 'mine': {fault}")


@pytest.mark.usefixtures("folder")
def test_all_faults_come_at_once() -> None:
    """Every fault of every stage in one go, each once; a reference to a faulty stage is none of its own."""
    text = "sed = 1\nworkers = 0\n" + stages(
        f'name = "pairs"\n{PAIRS}split = "train"',
        f'name = "corpus"\n{CORPUS}titel = "x"',
        'name = "mine"\nuse = "generate mine.bm25"\ninput = "@pairs"\ncorpus = "@corpus"\ndepth = 0\ntokeniser = "englsh"',
        'name = "best"\nuse = "filter top"\ninput = "@mine"\noutput = "o.parquet"',
        'name = "best"\nuse = "filter tpo"\ninput = "@nothing"',
    )
    found = faults(text, "mine.k=3", "mien.seed=3", "seed", seed="x", limit="0")
    assert [one.partition(" | ")[0] for one in found] == [
        "there is no key 'sed'",
        "key 'workers' takes a whole number of at least 1, not 0",
        "--seed takes a whole number of at least 0 and at most 9223372036854775807, not 'x'",
        "--limit takes a whole number of at least 1, not '0'",
        "stage name 'best' is used twice",
        "--set names stage 'mien', which is not there",
        "--set seed is not STAGE.KEY=VALUE",
        "stage 'pairs': ingest pairs has no option 'split'",
        "stage 'corpus': ingest corpus has no option 'titel'",
        "stage 'mine': generate mine.bm25 has no option 'k'",
        "stage 'mine': key 'tokeniser' takes one of simple, english, whitespace, not 'englsh'",
        "stage 'mine': key 'depth' takes a whole number of at least 1, not 0",
        "stage 'best': key 'k' is missing",
        "stage 'best': there is no operator 'filter tpo'",
    ]
    done = call("run", "p.toml")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: p.toml has 9 faults\n- there is no key 'sed'\n  at:   p.toml may have")
    assert (
        "- stage 'mine': key 'tokeniser' takes one of simple, english, whitespace, not 'englsh'\n  at:   generate mine.bm25\n" in done.err
    )
    assert "  mend: did you mean english?" in done.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[stage]\n", ["p.toml is not TOML", "line 1"]),
        ("", ["p.toml has no [[stage]]"]),
        ("stage = 3\n", ["p.toml has no [[stage]]"]),
        ("[stage]\nname = 'a'\n", ["p.toml has no [[stage]]"]),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_file_that_is_no_pipeline(text: str, words: list[str]) -> None:
    """Bad TOML and a file without stages exit 2 with the place."""
    Path("p.toml").write_text(text, encoding="utf-8")
    done = call("run", "p.toml")
    assert (done.code, done.out) == (2, "")
    assert all(word in done.err for word in words), done.err


@pytest.mark.usefixtures("folder")
def test_a_file_that_is_not_there() -> None:
    """A misspelt pipeline file exits 2 with the nearest name."""
    done = call("run", "pipelines/quickstrat.toml")
    assert (done.code, done.out) == (2, "")
    assert "did you mean quickstart.toml?" in done.err
    Path("latin.toml").write_bytes(b"# \xe6\n")
    assert "latin.toml is not TOML" in call("run", "latin.toml").err


# -- values ------------------------------------------------------------------------------------------------------------


def plan(*words: str) -> dict[str, Any]:
    """What --dry-run prints, by stage."""
    return {stage["name"]: stage for stage in json.loads(good("run", *words, "--dry-run", "--json").out)}


@pytest.mark.usefixtures("folder")
def test_dry_run_tells_each_value_and_its_origin() -> None:
    """--set beats a flag beats the file beats the default; nothing is written."""
    Path("p.toml").write_text("seed = 1\nworkers = 1\nlimit = 9\n" + mine("num_negatives = 2", "batch_size = 7"), encoding="utf-8")
    before = sorted(Path().rglob("*"))
    found = plan("p.toml", "--workers", "2", "--seed", "3", "--set", "mine.seed=4", "--set", "mine.keep-labels=positive", "--set", "mine.keep_labels=unknown", "--set", "mine.output=out/n",
                 "--set", "corpus.input=sample_data/beir/corpus.jsonl")  # fmt: skip
    options = found["mine"]["options"]
    assert {name: (one["value"], one["origin"]) for name, one in options.items()} == {
        "num_negatives": (2, "file"), "seed": (4, "--set"), "language": ("en", "default"), "verify": (True, "default"),
        "when_short": ("short", "default"), "promote": (False, "default"), "round": (None, "default"),
        "keep_labels": (["positive", "unknown"], "--set"), "rename": ([], "default"), "limit": (9, "file"), "shards": (None, "default"),
        "workers": (2, "flag"), "batch_size": (7, "file"), "max_memory": (None, "default"),
    }  # fmt: skip
    assert found["mine"]["output"] == {"value": "out/n", "origin": "--set"}
    assert found["mine"]["sides"] == {"corpus": {"value": "@corpus", "origin": "file"}}
    assert found["corpus"]["input"] == {"value": ["sample_data/beir/corpus.jsonl"], "origin": "--set"}
    # A limit is for what generates: it would trim known positives and side tables elsewhere.
    assert found["pairs"]["options"]["limit"] == found["corpus"]["options"]["limit"] == {"value": None, "origin": "default"}
    assert sorted(Path().rglob("*")) == before


@pytest.mark.usefixtures("folder")
def test_norwegian_is_not_false() -> None:
    """A quoted "no" stays text, in a file and with --set; for a switch it is off."""
    Path("p.toml").write_text(mine('language = "no"'), encoding="utf-8")
    assert plan("p.toml")["mine"]["options"]["language"]["value"] == "no"
    options = plan("p.toml", "--set", "mine.language=nb", "--set", "mine.verify=no")["mine"]["options"]
    assert (options["language"]["value"], options["verify"]["value"]) == ("nb", False)


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        (["mine.use=filter top"], "stage 'mine': --set cannot change `use`"),
        (["mine.name=x"], "stage 'mine': --set cannot change `name`"),
        (["mine.seed=1", "mine.seed=2"], "stage 'mine': key 'seed' is set twice"),
        (["mine.seed"], "--set mine.seed is not STAGE.KEY=VALUE"),
        (["=3"], "--set =3 is not STAGE.KEY=VALUE"),
        (["mien.seed=1"], "--set names stage 'mien', which is not there | stages: pairs, corpus, mine | did you mean mine?"),
        (["mine.sed=1"], "stage 'mine': generate mine.random has no option 'sed'"),
        (["mine.input=nothing.jsonl"], "stage 'mine': key 'input': there is no file nothing.jsonl"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_wrong_setting_is_a_fault(setting: list[str], fault: str) -> None:
    """--set is checked like the file."""
    found = faults(mine(), *setting)
    assert len(found) == 1
    assert found[0].startswith(fault)


@pytest.mark.usefixtures("folder")
def test_an_unused_flag_is_a_fault() -> None:
    """A flag that no stage of the file has is refused, not ignored."""
    text = stages(f'name = "a"\n{PAIRS}output = "o.parquet"')
    assert [one.partition(" | ")[0] for one in faults(text, seed="3", workers="2")] == [
        "--seed is for no stage of this file",
        "--workers is for no stage of this file",
    ]


@pytest.mark.usefixtures("folder")
def test_standard_input_is_read_once() -> None:
    """Two stages cannot share it."""
    found = faults(mine(), "pairs.input=-", "corpus.input=-")
    assert found[0].startswith("standard input is read by two stages")


# -- running -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_a_pipeline_is_its_commands() -> None:
    """The same rows to the byte as the commands typed one by one, lists of inputs and side inputs by name included."""
    rows = Path("sample_data/pairs.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    Path("a.jsonl").write_text("".join(rows[:40]), encoding="utf-8")
    Path("b.jsonl").write_text("".join(rows[40:]), encoding="utf-8")
    text = stages(
        'name = "a"\nuse = "ingest pairs"\ninput = "a.jsonl"',
        'name = "b"\nuse = "ingest pairs"\ninput = "b.jsonl"',
        f'name = "corpus"\n{CORPUS}',
        'name = "mine"\nuse = "generate mine.bm25"\ninput = ["@a", "@b"]\ncorpus = "@corpus"\nnum_negatives = 3',
        'name = "best"\nuse = "filter top"\ninput = "@mine"\nk = 2\noutput = "run.parquet"',
    )
    Path("p.toml").write_text(text, encoding="utf-8")
    good("run", "p.toml")
    good("ingest", "pairs", "a.jsonl", "-o", "a.parquet")
    good("ingest", "pairs", "b.jsonl", "-o", "b.parquet")
    good("ingest", "corpus", "sample_data/beir/corpus.jsonl", "-o", "corpus.parquet")
    good("generate", "mine.bm25", "a.parquet", "b.parquet", "--corpus", "corpus.parquet", "-n", "3", "-o", "mine.parquet")
    good("filter", "top", "mine.parquet", "--k", "2", "-o", "typed.parquet")
    for name in ("{}.parquet", "{}.dropped.parquet"):
        assert Path(name.format("run")).read_bytes() == Path(name.format("typed")).read_bytes()


@pytest.mark.usefixtures("folder")
def test_a_later_stage_reads_the_version_just_made() -> None:
    """A stage that reads a dataset stage reads its version by number; summaries name stages, not temporary files."""
    text = mine().replace("out/n.parquet", "out/set") + stages(
        'name = "best"\nuse = "filter top"\ninput = "@mine"\nk = 1\nby = "draw"\noutput = "out/best.parquet"'
    )
    Path("p.toml").write_text(text, encoding="utf-8")
    done = good("run", "p.toml", "--json")
    reports = json.loads(done.out)
    assert [(one["name"], one["output"]) for one in reports] == [
        ("pairs", "@pairs"), ("corpus", "@corpus"), ("mine", "out/set@v1"), ("best", "out/best.parquet"),
    ]  # fmt: skip
    assert reports[3]["counts"]["seen"] == reports[2]["rows"]
    assert "[pairs] ingest pairs: seen 80, kept 80" in done.err
    assert "  wrote 80 rows to @pairs (" in done.err
    assert done.err.rstrip().splitlines()[-1] == "  next: negforge dedupe exact out/best.parquet -o out/best"
    assert done.err.count("next:") == 1
    assert good("run", "p.toml", "-q").err == ""


@pytest.mark.usefixtures("folder")
def test_a_failing_stage_leaves_what_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Earlier outputs are whole, later ones absent, and the message names the stage."""
    Path("bad.jsonl").write_text('{"id": "1", "text": "a"}\n{"id": "1", "text": "b"}\n', encoding="utf-8")
    text = stages(
        f'name = "pairs"\n{PAIRS}output = "out/pairs.parquet"',
        'name = "corpus"\nuse = "ingest corpus"\ninput = "bad.jsonl"\noutput = "out/corpus.parquet"',
        'name = "mine"\nuse = "generate mine.random"\ninput = "@pairs"\ncorpus = "@corpus"\noutput = "out/set"',
    )
    Path("p.toml").write_text(text, encoding="utf-8")
    done = call("run", "p.toml", "--json")
    assert (done.code, done.out) == (3, "")
    assert "error: stage 'corpus': id '1' has two contents" in done.err
    assert [path.name for path in Path("out").iterdir()] == ["pairs.parquet"]
    assert pl.read_parquet("out/pairs.parquet").height == 80


@pytest.mark.usefixtures("folder")
def test_an_unchanged_run_touches_nothing() -> None:
    """A second run says which stages are skipped and leaves every file and time as it was; so does one that resumes nothing."""
    words = ["run", "pipelines/quickstart.toml", "--limit", "5"]
    good(*words)
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*") if path.is_file()}
    again = good(*words)
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("*") if path.is_file()} == before
    assert again.err.count("skipped, nothing it depends on has changed") == 6
    anew = good(*words, "--no-resume")
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("*") if path.is_file()} == before
    assert "  unchanged: out/quickstart@v1 has these " in anew.err
    assert "  unchanged: out/quickstart-triplets.parquet has these " in anew.err


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "pipelines").glob("*.toml")))
def test_a_shipped_pipeline_runs_on_the_sample(name: str, folder: Path) -> None:
    """With --limit and, for those that take any folder, the settings that their first lines show."""
    words = ["run", f"pipelines/{name}", "--limit", "5"]
    comment = " ".join(
        line[1:].strip(" \\") for line in (folder / "pipelines" / name).read_text(encoding="utf-8").splitlines() if line[:1] == "#"
    )
    shown = [word.strip('"') for word in comment.split() if re.match(r'"?[a-z]+\.[a-z_]+=', word)]
    if shown:
        pairs = pl.read_ndjson("sample_data/pairs.jsonl")
        pairs.select(sentence="anchor", label="positive").write_csv("x_annotations.csv")
        Path("labels.txt").write_text("\n".join(pairs["positive"].unique().sort()), encoding="utf-8")
        given = {"MODEL": str(static_model(folder / "model")), "NAME": "x", "DIR": "." if name == "labels.toml" else "sample_data/beir"}
        said = [functools.reduce(lambda text, put: text.replace(*put), given.items(), one) for one in shown]
        words += [word for one in said for word in ("--set", one)]
    done = good(*words)
    outputs = [
        stage["output"] for stage in tomllib.loads((folder / "pipelines" / name).read_text(encoding="utf-8"))["stage"] if "output" in stage
    ]
    made = ["out/x", "out/x.parquet"] if shown else outputs
    assert all(Path(one).exists() for one in made)
    triplets = pl.read_parquet(made[-1])
    assert triplets.columns == ["anchor", "positive", "negative"]
    # A margin may leave an anchor with none.
    assert triplets["anchor"].n_unique() == (4 if name == "vectors.toml" else 5)
    # Spans of one text hold no other positive of their anchor to veto, and edits by rules make none.
    assert ("known-positive" in done.err) == (name not in ("continuations.toml", "captions.toml", "facts.toml"))


@pytest.mark.usefixtures("folder")
def test_the_retrieval_pipeline_finds_a_folder_named_beir() -> None:
    """A link named `beir` is all it needs, packed files included."""
    Path("beir").symlink_to("sample_data/beir")
    subprocess.run(["gzip", "sample_data/beir/corpus.jsonl"], check=True)
    good("run", "pipelines/retrieval.toml", "--limit", "3", "-q")
    assert pl.read_parquet("out/retrieval-triplets.parquet")["anchor"].n_unique() == 3


def test_real_data_through_the_retrieval_pipeline(folder: Path, real_data: Path) -> None:
    """SciFact, as published, with the settings that the README shows."""
    beir = real_data / "scifact"
    if not beir.is_dir():
        pytest.skip(f"SciFact is not at {beir}")
    done = good(
        "run", "pipelines/retrieval.toml", "--limit", "50", "--set", f"pairs.input={beir}", "--set", f"corpus.input={beir}/corpus.jsonl*",
        "--set", "dataset.output=out/scifact", "--set", "triplets.output=out/scifact.parquet",
    )  # fmt: skip
    assert "asked 400, emitted 400 (slots)" in done.err
    assert pl.read_parquet("out/scifact.parquet").height >= 200


# -- make --------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_makes_only_what_is_out_of_date(folder: Path) -> None:
    """The first run makes all; a second does nothing; touched or changed inputs and other settings run only what they reach."""

    def make(*words: str) -> list[str]:
        line = ["make", "-f", "pipelines/Makefile", "BEIR=sample_data/beir", "OUT=out/x", "LIMIT=5", *words]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        done = subprocess.run([*line, f"NEGFORGE={sys.executable} -m negforge"], capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, done.stderr
        return [part.split("-m negforge ")[1].split()[1] for part in done.stdout.splitlines() if "-m negforge " in part]

    assert make() == ["beir", "corpus", "mine.bm25", "top", "exact", "sentence-transformers"]
    assert pl.read_parquet("out/x/triplets.parquet")["anchor"].n_unique() == 5
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}
    assert make() == []
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")} == before
    # The same rows again: the reader runs once more, and nothing after it.
    os.utime(folder / "sample_data/beir/queries.jsonl")
    assert make() == ["beir"]
    assert make() == []
    assert make("K=2") == ["beir", "corpus", "mine.bm25", "top", "exact", "sentence-transformers"]
    assert make("K=2") == []


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.usefixtures("folder")
def test_make_says_what_is_missing() -> None:
    """A folder without a corpus stops it with a message, and it does not wait for standard input."""
    words = ["make", "-f", "pipelines/Makefile", "BEIR=nowhere", "out/make/.corpus", f"NEGFORGE={sys.executable} -m negforge"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "there is no corpus.jsonl in BEIR=nowhere" in done.stderr


# -- the schema --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (mine("num_negatives = 3", 'max_memory = "1GiB"', 'keep_labels = ["positive"]', 'rename = ["a=b"]'), True),
        ("seed = 3\n" + mine(), True),
        (mine("num_negatives = 0"), False),
        (mine("num-negatives = 3"), False),
        (mine("depth = 3"), False),
        (mine('keep_labels = ["postive"]'), False),
        (mine('rename = ["ab"]'), False),
        (mine('max_memory = "4 pigs"'), False),
        ("sed = 3\n" + mine(), False),
        (stages('name = "a"\nuse = "filter top"\ninput = "x.parquet"'), False),
    ],
)
def test_the_schema_judges_as_the_check_does(text: str, fits: bool) -> None:
    """An editor that knows the schema marks what `run` refuses."""
    validator = jsonschema.Draft202012Validator(json_schema())
    assert validator.is_valid(tomllib.loads(text)) == fits


def test_an_error_of_a_pipeline_is_a_usage_error(tmp_path: Path) -> None:
    """It carries its faults and pickles whole."""
    import pickle

    (tmp_path / "p.toml").write_text("sed = 1\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load(str(tmp_path / "p.toml"), {}, [])
    assert isinstance(caught.value, PipelineError)
    assert len(caught.value.faults) == 2
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_pipeline_from_a_pipe(folder: Path) -> None:
    """A stage may read standard input, once."""
    (folder / "p.toml").write_text(mine(), encoding="utf-8")
    done = run("run", "p.toml", "--set", "pairs.input=-", "-q", data=(folder / "sample_data/pairs.jsonl").read_bytes())
    assert (done.code, done.err) == (0, "")
    assert pl.read_parquet(folder / "out/n.parquet").height >= 80


@pytest.mark.usefixtures("folder")
def test_commands_put_together_say_where_names_belong() -> None:
    """Stages that `--as-stage` printed read each other's outputs by path: all of them are told the name to write, at once."""
    pairs = f'name = "pairs"\n{PAIRS}output = "out/pairs.parquet"'
    mined = 'name = "mined"\nuse = "generate mine.random"\ninput = "out/pairs.parquet"\ncorpus = "sample_data/beir/corpus.jsonl"\noutput = "out/m.parquet"'
    best = 'name = "best"\nuse = "filter top"\ninput = "out/m.parquet"\nk = 2\noutput = "out/b.parquet"'
    found = faults(stages(pairs, mined, best))
    assert [one.rpartition(" | ")[2] for one in found] == ['write input = "@pairs"', 'write input = "@mined"']

"""The README is true to the last command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from negforge import errors
from negforge.encoders import Encoder
from negforge.store import Dataset
from tests.conftest import ROOT
from tests.models import static_model

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)


def blocks(language: str) -> list[str]:
    """The README's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a fresh clone whose environment is set up."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("sample_data", "pipelines", "tests"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    return folder


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a block as a user would paste it."""
    return subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=folder, capture_output=True, text=True, check=False, timeout=240)


def test_the_first_two_commands_are_the_two_that_set_everything_up() -> None:
    """`make demo` and `make test` come first, alone."""
    assert [line.split("#")[0].strip() for line in SHELL[0].strip().splitlines()] == ["make demo", "make test"]


def test_the_shell_blocks_run_in_their_order(checkout: Path) -> None:
    """Every other block runs as it stands, and the pipe makes the dataset that the six commands made: no second version."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    for block in SHELL[1:]:
        done = shell('export PATH="$PWD/.venv/bin:$PATH"\n' + block, checkout)
        assert done.returncode == 0, f"{block}\n{done.stderr}"
    assert Dataset(checkout / "out" / "dataset").versions() == [1]


def test_the_block_with_a_model_runs(tmp_path: Path) -> None:
    """On the sample, with a small model and its vectors as a user brings them; the last line leaves a dataset."""
    model = static_model(tmp_path / "model")
    line = f'export PATH="{Path(sys.executable).parent}:$PATH"; cd {tmp_path}\n'
    sample = ROOT / "sample_data"
    made = f"negforge ingest beir {sample}/beir -o pairs.parquet\nnegforge ingest corpus {sample}/beir/corpus.jsonl -o corpus.parquet\n"
    assert shell(line + made, tmp_path).returncode == 0
    encoder = Encoder(str(model))
    for name, ids, texts in (("a", "anchor_id", "anchor"), ("c", "id", "text")):
        rows = pl.read_parquet(tmp_path / ("pairs.parquet" if name == "a" else "corpus.parquet")).unique(ids, maintain_order=True)
        np.save(tmp_path / f"{name}.npy", encoder.encode(rows[texts].to_list()))
        (tmp_path / f"{name}.ids").write_text("\n".join(rows[ids]), encoding="utf-8")
    block = next(one for one in blocks("text") if "mine.fused" in one)
    commands = [one.removeprefix("$ ").replace("MODEL", str(model)) for one in block.splitlines() if one.startswith("$ ")]
    assert len(commands) == 6
    for command in commands:
        done = shell(line + command, tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert Dataset(tmp_path / "out" / "hard").versions() == [1]


def test_the_commands_of_the_pipelines_page_run(checkout: Path) -> None:
    """Each block of `pipelines/README.md`, the sample's folder standing for DIR."""
    text = (ROOT / "pipelines" / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        done = shell('export PATH="$PWD/.venv/bin:$PATH"\n' + block.replace("DIR", "sample_data/beir"), checkout)
        assert done.returncode == 0, f"{block}\n{done.stderr}"


def test_the_python_blocks_run(checkout: Path) -> None:
    """The Python of the README runs on what its shell blocks made."""
    if not (checkout / "out" / "dataset").exists():
        test_the_shell_blocks_run_in_their_order(checkout)
    for block in blocks("python"):
        done = subprocess.run([sys.executable, "-c", block], cwd=checkout, capture_output=True, text=True, check=False, timeout=240)
        assert done.returncode == 0, f"{block}\n{done.stderr}"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the README writes out."""
    folder = tmp_path_factory.mktemp("own")
    for name, text in re.findall(r"```\w+ title=(\S+)\n(.*?)```", TEXT, re.DOTALL):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def plain(text: str) -> str:
    """A line of output without what differs from run to run: seconds, counts of tests, widths."""
    return " ".join(re.sub(r"\d+ passed.*", "N passed", re.sub(r"[\d.]+ s\)", "N s)", text)).split())


def test_an_operator_of_ones_own_does_what_the_readme_shows(own: Path) -> None:
    """The three files, as they stand, give the commands' output line for line, and pass the laws and their own test."""
    block = next(one for one in blocks("console") if one.startswith("$ cd my-operators"))
    commands = [part.split("\n", 1) for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    assert commands[0][0] == "cd my-operators"
    for command, wanted in commands[1:]:
        done = shell(f'export PATH="{Path(sys.executable).parent}:$PATH"\n{command}', own / "my-operators")
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        printed = {plain(line) for line in (done.stdout + done.stderr).splitlines()}
        for line in wanted.splitlines():
            assert plain(line).replace("DIR/", f"{own}/") in printed, f"{command} printed\n{done.stdout}{done.stderr}"
    assert (own / "my-operators" / "negatives.jsonl").read_text(encoding="utf-8").count("\n") == 3


def test_the_operator_as_a_package_is_found_by_its_entry_point(own: Path, tmp_path: Path) -> None:
    """Laid out and declared as the README says, and installed as pip would, it needs no flag."""
    project = tomllib.loads((own / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    target = next(iter(project["entry-points"]["negforge.operators"].values()))
    assert f"src/{target.replace('.', '/')}/generate/perturb/" in TEXT
    shutil.copytree(own / "my-operators" / "generate", tmp_path / target.replace(".", "/") / "generate")
    (tmp_path / target.split(".")[0] / "__init__.py").touch()
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8")
    points = "".join(f"{name} = {value}\n" for name, value in project["entry-points"]["negforge.operators"].items())
    (info / "entry_points.txt").write_text(f"[negforge.operators]\n{points}", encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    words = [
        "generate",
        "perturb.compass",
        str(own / "my-operators" / "pairs.jsonl"),
        "--to",
        "jsonl",
        "--workers",
        "2",
        "--batch-size",
        "1",
    ]
    done = subprocess.run([sys.executable, "-m", "negforge", *words], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 2


def test_every_exit_code_is_documented() -> None:
    """The table of exit codes names each code an error carries."""
    codes = {one.exit_code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.NegforgeError)}
    listed = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", TEXT, re.MULTILINE) for code in row.split(",")}
    assert codes | {0, 130, 143} <= listed


def test_linked_files_exist() -> None:
    """Every relative link and every file the README names is there."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (ROOT / target).exists(), target
    for named in re.findall(r"`((?:negforge|tests|pipelines)/[\w/]+\.\w+)`", TEXT):
        assert (ROOT / named).exists() or "shout" in named, named

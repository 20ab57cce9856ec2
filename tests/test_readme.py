"""The README is true to the last command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from negforge import errors
from negforge.store import Dataset
from tests.conftest import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)


def blocks(language: str) -> list[str]:
    """The README's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a fresh clone whose environment is set up."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("sample_data", "pipelines"):
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

"""The main job on SciFact, three ways, with the figures the README gives."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from negforge.store import Dataset
from tests.conftest import ROOT

NEGFORGE = f"{Path(sys.executable).parent}/negforge"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shell(command: str, folder: Path) -> str:
    """Run a line as a user would type it; its standard output."""
    line = command.replace("negforge ", f"{NEGFORGE} ")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", line], cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def six_commands(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, object]]]:
    """The README's six commands on SciFact, in a folder, with their reports."""
    folder = tmp_path_factory.mktemp("scifact")
    block = next(text for text in re.findall(r"```text\n(.*?)```", README, re.DOTALL) if "ingest beir" in text)
    lines = [line.removeprefix("$ ").replace("DIR", str(real_data / "scifact")) for line in block.splitlines() if line.startswith("$ ")]
    assert len(lines) == 6
    return folder, [json.loads(shell(f"{line} --json", folder)) for line in lines]


def test_the_counts_are_those_of_the_readme(six_commands: tuple[Path, list[dict[str, object]]]) -> None:
    """Every figure of the table of the real run is what the commands report."""
    rows = re.findall(r"^\| `(?:ingest|generate|filter|dedupe|export) [^|]*\|[^|]*\| ([\d,]+) \|", README, re.MULTILINE)
    kept = [int(row.replace(",", "")) for row in rows]
    counts = [report["counts"] for report in six_commands[1]]
    assert [one["kept"] for one in counts] == kept  # type: ignore[index]
    mined = counts[2]
    assert isinstance(mined, dict)
    assert (mined["asked"], mined["emitted"], mined["vetoed"]) == (6472, 6472, {"known-positive": 706})
    assert mined["labels"] == {"negative": 7352, "positive": 920}
    for figure in ("6,472", "706", "7,352", "920", "3,676"):
        assert figure in README


def test_a_pipe_and_a_pipeline_give_the_same_digest(six_commands: tuple[Path, list[dict[str, object]]], real_data: Path) -> None:
    """Six commands, one shell pipe and `run pipelines/retrieval.toml` make the same rows; into one folder, the same version."""
    folder, reports = six_commands
    digest = reports[4]["rows_digest"]
    assert str(digest) in README
    scifact = real_data / "scifact"
    shell(
        f"negforge ingest beir {scifact} --split train | negforge generate mine.bm25 --corpus corpus.parquet --num-negatives 8"
        " | negforge filter top --k 4 | negforge dedupe exact -o out/scifact",
        folder,
    )
    assert Dataset(folder / "out" / "scifact").versions() == [1]
    sets = f"--set pairs.input={scifact} --set corpus.input={scifact}/corpus.jsonl.gz --set dataset.output={folder}/piped"
    shell(f"negforge run {ROOT}/pipelines/retrieval.toml {sets} --set triplets.output={folder}/t.parquet -q", folder)
    assert Dataset(folder / "piped").manifest(1)["digests"]["rows_digest"] == digest

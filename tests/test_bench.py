"""The benchmark runs: a tiny one, so that it does not rot. Its figures mean nothing at this size, and none is asserted."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def test_the_tiny_benchmark_runs(tmp_path: Path) -> None:
    """The table of the row-local stage and of `--help` is printed and written as JSON; help loads no heavy library."""
    env = {**os.environ, "BENCH_SCALE": "tiny", "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    line = [sys.executable, "-m", "bench", "perturb", "start"]
    done = subprocess.run(line, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))
    rows = {row["row"]: row for row in report["rows"]}
    assert [row["met"] for name, row in rows.items() if name.startswith("(d)")] == [True, True]
    assert any("whole command (25% of the texts give a row)" in name for name in rows)
    assert any("nlpaug Random" in name for name in rows) == (importlib.util.find_spec("nlpaug") is not None)
    for name in rows:
        assert f"| {name} |" in done.stdout

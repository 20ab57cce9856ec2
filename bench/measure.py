"""Runs one measure in a child process: its CPU seconds, user and system, and its peak memory, polled."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.02
ROOT = Path(__file__).parent.parent
NEGFORGE = (sys.executable, "-m", "negforge")


@dataclass
class Cost:
    """What children cost: CPU seconds of each repeat, the highest peak of anonymous and of resident memory in MiB, all processes together.

    stopped: a child grew above its limit and was stopped. said: what the last one printed.
    """

    cpu: list[float] = field(default_factory=list)
    anon_mib: float = 0.0
    rss_mib: float = 0.0
    stopped: bool = False
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The median of the repeats."""
        return statistics.median(self.cpu)

    @property
    def spread(self) -> float:
        """The range of the repeats, as a share of the median."""
        return (max(self.cpu) - min(self.cpu)) / self.seconds


def child(
    argv: Sequence[str], *, repeats: int = 1, limit_mib: float = float("inf"), before: Callable[[], None] | None = None, cores: int = 2
) -> Cost:
    """Run a command `repeats` times. RuntimeError if it fails; a child above the limit is stopped, and said to be.

    cores: how many it may use; on one it is bound to the first.

    A child that prints a document with `cpu_seconds` has measured itself, its imports apart; another's whole life counts.
    """
    cost = Cost()
    for _ in range(repeats):
        if before is not None:
            before()
        with tempfile.TemporaryFile() as out:
            bound = ("taskset", "-c", str(min(os.sched_getaffinity(0)))) if cores == 1 else ()
            # An installed package has its bytecode; here modules would be compiled at each start where Python is told to write none.
            env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
            process = subprocess.Popen((*bound, *argv), stdout=out, cwd=ROOT, env={**env, "POLARS_MAX_THREADS": str(cores)})
            status, usage = _watched(process, cost, limit_mib)
            out.seek(0)
            said = out.read().decode()
        if status and not cost.stopped:
            raise RuntimeError(f"{' '.join(argv)} ended with {status}: {said}")
        cost.said = json.loads(said) if said.startswith("{") else {"text": said}
        cost.cpu.append(cost.said.get("cpu_seconds", usage.ru_utime + usage.ru_stime))
    return cost


def _watched(process: subprocess.Popen[bytes], cost: Cost, limit_mib: float) -> tuple[int, Any]:
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage
        # RLIMIT_AS would count what allocators merely reserve.
        anon, rss = _held_mib(process.pid)
        cost.anon_mib, cost.rss_mib = max(cost.anon_mib, anon), max(cost.rss_mib, rss)
        if anon > limit_mib and not cost.stopped:
            cost.stopped = True
            process.kill()
        time.sleep(_POLL_SECONDS)


def _held_mib(pid: int) -> tuple[float, float]:
    """Anonymous and resident memory of a process and all it started, workers included."""
    anon = rss = 0.0
    with contextlib.suppress(OSError, KeyError):
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
        anon, rss = (int(lines[name].split()[0]) / 1024 for name in ("RssAnon", "VmRSS"))
        for task in Path(f"/proc/{pid}/task").iterdir():
            for started in (task / "children").read_text(encoding="ascii").split():
                more = _held_mib(int(started))
                anon, rss = anon + more[0], rss + more[1]
    return anon, rss


def work(name: str, *, repeats: int = 1, cores: int = 2, **given: Any) -> Cost:
    """Run a function of `bench.work` in a child."""
    return child((sys.executable, "-m", "bench.work", name, json.dumps(given, default=str)), repeats=repeats, cores=cores)


def command(line: Sequence[str | Path], *, workers: int = 1, **more: Any) -> Cost:
    """Run a `negforge` command. The CPU seconds of workers are counted only where there is one, which is the process itself."""
    return child((*NEGFORGE, *map(str, line), "--workers", str(workers), "--quiet"), **more)

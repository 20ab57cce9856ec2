"""Runs negforge as a shell does: in this process for its messages, in its own for streams, signals and exit codes."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from negforge.cli import app

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "negforge"]


class Result:
    """What a command printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


def call(*words: str | Path, data: bytes | None = None) -> Result:
    """Run in this process."""
    done = CliRunner().invoke(app, [str(word) for word in words], input=data)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Result(done.exit_code, done.stdout, done.stderr)


def good(*words: str | Path) -> Result:
    """Run in this process; it must succeed."""
    done = call(*words)
    assert done.code == 0, done.err
    return done


def start(*words: str | Path, **more: Any) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, deaf to nothing, its three streams piped unless said otherwise."""
    streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    # A shell starts what runs in the background deaf to interrupts, and children inherit it.
    heard = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return subprocess.Popen([*COMMAND, *map(str, words)], start_new_session=True, **{**streams, **more})
    finally:
        signal.signal(signal.SIGINT, heard)


def run(*words: str | Path, data: bytes = b"", env: dict[str, str] | None = None, **more: Any) -> Result:
    """Run in a process of its own, to its end."""
    process = start(*words, env={**os.environ, **(env or {})}, **more)
    out, err = process.communicate(data, timeout=120)
    return Result(process.returncode, (out or b"").decode("utf-8", "replace"), (err or b"").decode("utf-8", "replace"))


def shell(line: str, folder: Path) -> Result:
    """Run a line of bash in a folder, `negforge` standing for this one."""
    wrapped = f'set -o pipefail; negforge() {{ "{sys.executable}" -m negforge "$@"; }}; {line}'
    done = subprocess.run(["bash", "-c", wrapped], cwd=folder, capture_output=True, timeout=120, check=False)
    return Result(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def on_terminal(words: Sequence[str | Path], columns: int = 80, env: dict[str, str] | None = None) -> Result:
    """Run with both streams on a terminal; what they print comes back together."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    around = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = start(*words, stdin=slave, stdout=slave, stderr=slave, env={**around, "TERM": "xterm", **(env or {})})
    os.close(slave)
    found = b""
    while True:
        try:
            piece = os.read(master, 1 << 16)
        except OSError:  # how Linux says that the other side is closed
            break
        if not piece:
            break
        found += piece
    os.close(master)
    return Result(process.wait(60), found.decode("utf-8", "replace"), "")


def living(session: int) -> list[str]:
    """The command lines of processes left in a session; those that ended but were not waited for do not count."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(state[3]) == session and state[0] != "Z":
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (OSError, IndexError, ValueError):
            continue
    return found


class Children:
    """Asks a server for children that do a job, several at once, and may be killed at any moment of it."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.children", "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def run(self, *jobs: dict[str, Any]) -> list[dict[str, Any]]:
        """What became of each job."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps([{**job, "path": str(job["path"])} for job in jobs]) + "\n")
        self._server.stdin.flush()
        found: list[dict[str, Any]] = json.loads(self._server.stdout.readline())
        return found

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()

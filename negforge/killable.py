"""Runs a function in a process of its own that is killed at a limit: of time, of processor time, of memory.

For what may never end or must not be trusted: an algebra system on texts of anybody, or a program that stands in the data. A keeper,
a fresh interpreter that holds none of our threads, imports the function once and calls `ready` of its module, if it has one; each
call is a child of the keeper, so no call sees another.

What a call cannot do, wherever user namespaces are allowed (Linux, by default on most distributions): reach a network, write
outside its working folder, which is empty and lies in memory, see other processes, or leave one behind. Without them (`walled` is
False) an audit hook refuses sockets, programs and writing elsewhere: a fence against accidents, none against malice. Anywhere, a
call holds no open file but the pipe of its answer, no environment variable of ours, no capability. It can read whatever its user
can read, and where root calls, the number of its processes is bounded by time alone.

Calls and answers are JSON. The same call gives the same answer, but for one that is near a limit: it may end in `timeout` on a
slower machine, so a caller must take `timeout` for not knowing.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import multiprocessing.util
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn, Self

State = Literal["done", "timeout", "memory", "error"]
_MOST_BYTES = 1 << 20  # of an answer
_MOST_PROCESSES = 64
_GRACE_SECONDS = 5.0  # for the keeper, beyond the wall limit of a call
_START_SECONDS = 120.0
_NEW_USER, _NEW_PID, _NEW_NET, _NEW_IPC, _NEW_MOUNTS = 0x10000000, 0x20000000, 0x40000000, 0x08000000, 0x00020000
_PRIVATE, _NO_SETUID, _NO_DEVICES = 1 << 18 | 1 << 14, 2, 4
_MOUNT_SETATTR, _RECURSIVE, _READ_ONLY, _HERE = 442, 0x8000, 1, -100
_NO_NEW_PRIVILEGES, _DIE_WITH_PARENT = 38, 1


class Limits(NamedTuple):
    """What one call may use. `wall_seconds` stops what waits; what computes is stopped by `cpu_seconds` first, however busy the machine."""

    cpu_seconds: int = 5
    wall_seconds: float = 20.0
    memory_bytes: int = 1 << 30
    file_bytes: int = 1 << 24


class Answer(NamedTuple):
    """How a call ended: `value` is what the function returned, `why` what it died of."""

    state: State
    value: Any = None
    why: str = ""


class Killable:
    """A function, named as `module:function`, that is called in processes that can be killed.

    Not for several threads at once. `walled` says whether namespaces hold a call, once it started.
    """

    def __init__(self, target: str, limits: Limits = Limits(), *, walls: bool = True) -> None:  # noqa: B008 - it cannot be changed
        self.target, self.limits, self._walls = target, limits, walls
        self.walled: bool | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._folder = ""
        self._owner = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, *arguments: Any) -> Answer:
        """Call the function with arguments that JSON has. Raises RuntimeError where the function cannot be imported."""
        keeper = self._started()
        try:
            _send(_number(keeper.stdin), json.dumps(arguments).encode())
            answer = _receive(_number(keeper.stdout), self.limits.wall_seconds + _GRACE_SECONDS)
        except TimeoutError:
            self.close()
            return Answer("timeout")
        except (OSError, EOFError) as error:
            self.close()
            return Answer("error", why=f"the keeper died: {type(error).__name__}")
        return Answer(*json.loads(answer))

    def close(self) -> None:
        """End the keeper and whatever runs in it."""
        keeper, self._keeper = self._keeper, None
        if keeper is None or self._owner != os.getpid():
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(keeper.pid, signal.SIGKILL)
        keeper.wait()
        for pipe in (keeper.stdin, keeper.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        shutil.rmtree(self._folder, ignore_errors=True)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._keeper is not None and self._owner == os.getpid():
            return self._keeper
        if self._owner != os.getpid():
            # Unlike `atexit` it is called in a worker, too.
            multiprocessing.util.Finalize(None, self.close, exitpriority=10)
        self._folder = tempfile.mkdtemp(prefix="negforge-call-")
        ours = str(Path(__file__).parent.parent)
        order = json.dumps({"target": self.target, "limits": self.limits, "folder": self._folder, "walls": self._walls})
        code = f"import sys; sys.path[:0] = [{ours!r}]; from negforge.killable import keep; keep(sys.argv[1])"
        # No variable but these is inherited. A hash seed of its own would give sets another order in each keeper.
        fresh = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "HOME": self._folder}
        self._keeper = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-s", "-P", "-B", "-c", code, order],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=fresh,
            cwd=self._folder,
            start_new_session=True,
        )
        self._owner = os.getpid()
        try:
            hello = json.loads(_receive(_number(self._keeper.stdout), _START_SECONDS))
        except (OSError, EOFError) as error:
            hello = {"failed": f"its process ended: {type(error).__name__}"}
        if "failed" in hello:
            self.close()
            raise RuntimeError(f"{self.target} cannot be called: {hello['failed']}")
        self.walled = hello["walled"]
        return self._keeper


def _number(pipe: Any) -> int:
    found: int = pipe.fileno()
    return found


def _send(pipe: int, data: bytes) -> None:
    left = memoryview(len(data).to_bytes(8, "little") + data)
    while left:
        left = left[os.write(pipe, left) :]


def _receive(pipe: int, seconds: float | None = None) -> bytes:
    """One message. Raises EOFError at the end, TimeoutError when it takes longer."""
    deadline = None if seconds is None else time.monotonic() + seconds
    size = int.from_bytes(_read(pipe, 8, deadline), "little")
    return _read(pipe, size, deadline)


def _read(pipe: int, size: int, deadline: float | None) -> bytes:
    parts, have = [], 0
    while have < size:
        wait = None if deadline is None else deadline - time.monotonic()
        if (wait is not None and wait <= 0) or not select.select([pipe], [], [], wait)[0]:
            raise TimeoutError
        part = os.read(pipe, min(size - have, 1 << 16))
        if not part:
            raise EOFError
        parts.append(part)
        have += len(part)
    return b"".join(parts)


# -- in the keeper -----------------------------------------------------------------------------------------------------


def keep(order: str) -> NoReturn:
    """Answer calls until there are no more: what a keeper does all its life."""
    given = json.loads(order)
    calls, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)
    walled = given["walls"] and _behind_walls()
    try:
        module, _, name = given["target"].partition(":")
        function = getattr(importlib.import_module(module), name)
        getattr(sys.modules[module], "ready", int)()
    except BaseException as error:  # noqa: BLE001 - it is told to whoever asked
        _send(answers, json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode())
        os._exit(1)
    _send(answers, json.dumps({"walled": walled}).encode())
    limits = Limits(*given["limits"])
    with contextlib.suppress(EOFError, OSError):
        while True:
            arguments = json.loads(_receive(calls))
            inside, outside = os.pipe()
            guard = os.fork()
            if not guard:
                for pipe in (calls, answers, inside):
                    os.close(pipe)
                _guard(function, arguments, limits, given["folder"], outside, walled=walled)
            os.close(outside)
            told = _drained(inside)
            os.close(inside)
            os.waitpid(guard, 0)
            _send(answers, told or json.dumps(Answer("error", why="its guard was killed")).encode())
    os._exit(0)


def _drained(pipe: int) -> bytes:
    parts = []
    while part := os.read(pipe, 1 << 16):
        parts.append(part)
    return b"".join(parts)


def _guard(function: Callable[..., Any], arguments: list[Any], limits: Limits, folder: str, out: int, *, walled: bool) -> NoReturn:
    """Run one call in a child, kill it at the wall limit with all it started, and say how it ended."""
    libc = _libc()
    libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    home = folder
    if walled:
        # The child is the first process of a namespace: with it all others in there die.
        walled = libc.unshare(_NEW_PID | _NEW_MOUNTS) == 0 and _mounted(libc, folder, limits.file_bytes)
    if not walled:
        home = tempfile.mkdtemp(dir=folder)
    inside, outside = os.pipe()
    begun = time.monotonic()
    child = os.fork()
    if not child:
        os.close(inside)
        os.close(out)
        _call(function, arguments, limits, home, outside, walled=walled)
    os.close(outside)
    said, late = b"", False
    try:
        said = _read(inside, 8, begun + limits.wall_seconds)
        said = _read(inside, min(int.from_bytes(said, "little"), _MOST_BYTES), begun + limits.wall_seconds)
    except TimeoutError:
        late = True
    except EOFError:
        said = b""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
        if not walled:
            os.killpg(child, signal.SIGKILL)
    _, status, used = os.wait4(child, 0)
    answer = Answer("timeout") if late else _ended(said, status, used.ru_utime + used.ru_stime, limits)
    if not walled:
        shutil.rmtree(home, ignore_errors=True)
    left = memoryview(json.dumps(answer).encode())
    while left:
        left = left[os.write(out, left) :]
    os._exit(0)


def _ended(said: bytes, status: int, cpu: float, limits: Limits) -> Answer:
    if said:
        with contextlib.suppress(ValueError, TypeError):
            state, value, why = json.loads(said)
            if state in ("done", "memory", "error"):
                return Answer(state, value, str(why))
        return Answer("error", why="an answer that cannot be read")
    died = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else ""
    if died == "SIGXCPU" or cpu >= limits.cpu_seconds:
        return Answer("timeout")
    return Answer("error", why=died or f"it ended by itself with {os.waitstatus_to_exitcode(status)}")


def _call(function: Callable[..., Any], arguments: list[Any], limits: Limits, home: str, out: int, *, walled: bool) -> NoReturn:
    """The child: bound, then the function itself."""
    libc = _libc()
    if not walled:
        os.setsid()
    os.chdir(home)
    os.environ.update(HOME=home, TMPDIR=home)
    tempfile.tempdir = home
    random.seed(0)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _without_capabilities(libc)
    for what, soft in (
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (soft, soft + 1 if what == resource.RLIMIT_CPU else soft))
    if walled:
        with contextlib.suppress(ValueError, OSError):  # counted in the namespace alone; a root outside of it is exempt
            resource.setrlimit(resource.RLIMIT_NPROC, (_MOST_PROCESSES, _MOST_PROCESSES))
    else:
        _fence(home)
    try:
        told = json.dumps(("done", function(*arguments), "")).encode()
        if len(told) > _MOST_BYTES:
            told = json.dumps(("error", None, "an answer too long")).encode()
    except MemoryError:
        told = json.dumps(("memory", None, "")).encode()
    except BaseException as error:  # noqa: BLE001 - it is told to whoever asked
        told = json.dumps(("error", None, f"{type(error).__name__}: {error}"[:500])).encode("utf-8", "replace")
    with contextlib.suppress(OSError):
        _send(out, told)
    os._exit(0)


# -- walls -------------------------------------------------------------------------------------------------------------


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _behind_walls() -> bool:
    """Leave the network, and make every file read-only, for this process and its children. Whether that was allowed."""
    if not sys.platform.startswith("linux"):
        return False
    libc, user, group = _libc(), os.geteuid(), os.getegid()
    # Tried in a child first: half of it, once done, cannot be undone.
    if trial := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(trial, 0)[1]) == 0 and _enter(libc, user, group)
    os._exit(0 if _enter(libc, user, group) else 1)


def _enter(libc: Any, user: int, group: int) -> bool:
    if libc.unshare(_NEW_USER | _NEW_NET | _NEW_MOUNTS | _NEW_IPC) != 0:
        return False
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    except OSError:
        return False
    if libc.mount(None, b"/", None, _PRIVATE, None) != 0:
        return False
    attributes = _READ_ONLY.to_bytes(8, sys.byteorder) + bytes(24)
    if libc.syscall(_MOUNT_SETATTR, _HERE, b"/", _RECURSIVE, attributes, len(attributes)) != 0:
        return False
    # Nothing in there needs to know of other processes.
    return bool(libc.mount(b"none", b"/proc", b"tmpfs", _NO_SETUID | _NO_DEVICES, b"size=4k") == 0)


def _mounted(libc: Any, folder: str, size: int) -> bool:
    """An empty folder in memory for one call."""
    return bool(libc.mount(b"none", folder.encode(), b"tmpfs", _NO_SETUID | _NO_DEVICES, f"size={size}".encode()) == 0)


def _without_capabilities(libc: Any) -> None:
    header, nothing = (0x20080522).to_bytes(4, sys.byteorder) + bytes(4), bytes(24)
    with contextlib.suppress(AttributeError):
        libc.capset(header, nothing)


_REFUSED = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.kill", "pty.", "ctypes.", "syslog.")
_WRITES = "os.remove os.rename os.rmdir os.mkdir os.chmod os.chown os.link os.symlink os.truncate os.utime shutil.rmtree shutil.move"


def _fence(home: str) -> None:
    """Where nothing better holds: what the interpreter itself sees of sockets, programs and files to write is refused."""
    writes = frozenset(_WRITES.split())
    inside = os.path.realpath(home) + os.sep

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_REFUSED):
            raise PermissionError(f"{event} is not allowed here")
        paths: tuple[Any, ...]
        if event == "open":
            path, mode, flags = arguments
            changes = (isinstance(mode, str) and not {*"wax+"}.isdisjoint(mode)) or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            paths = (path,) if changes else ()
        else:
            paths = tuple(one for one in arguments if isinstance(one, str | bytes)) if event in writes else ()
        for path in paths:
            if not isinstance(path, int) and not os.path.realpath(os.fsdecode(path)).startswith(inside):
                raise PermissionError("nothing is written outside the working folder")

    sys.addaudithook(refuse)

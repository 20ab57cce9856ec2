"""A function in a process that is killed at its limits: how calls end, what they cannot reach, and what is left behind."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from negforge.killable import Answer, Killable, Limits

SMALL = Limits(cpu_seconds=1, wall_seconds=3.0, memory_bytes=1 << 29, file_bytes=1 << 20)


@pytest.fixture(scope="module", params=["walls", "fence"])
def run(request: pytest.FixtureRequest) -> Iterator[Killable]:
    """Python's own `exec`, behind walls where they are to be had, and behind the fence alone."""
    with Killable("builtins:exec", SMALL, walls=request.param == "walls") as made:
        yield made


def test_a_call_gives_what_the_function_returns() -> None:
    """Arguments and values are those of JSON; one keeper answers many calls."""
    with Killable("operator:concat") as join:
        assert [join.call([1], ["\u00e9", None]), join.call("a", "b")] == [Answer("done", [1, "\u00e9", None]), Answer("done", "ab")]


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("while True: pass", "timeout"),
        ("import time; time.sleep(60)", "timeout"),
        ("9 ** 9 ** 9", "timeout"),
        ("import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", "timeout"),
        ("[0] * 10**9", "memory"),
        ("1 / 0", "error"),
        ("raise SystemExit(0)", "error"),
        ("import os; os._exit(0)", "error"),
        ("import os; os.abort()", "error"),
        ("def f(): return g()\ng = f\nraise RecursionError", "error"),
        ("x = 1", "done"),
    ],
)
def test_every_end_is_told_apart(run: Killable, code: str, state: str) -> None:
    """Time, memory and faults are not the same, none of them takes longer than the wall limit, and the next call is as good as the first."""
    begun = time.monotonic()
    assert run.call(code, {}).state == state
    assert time.monotonic() - begun < SMALL.wall_seconds + 5
    assert run.call("x = 1", {}) == Answer("done")


def test_what_a_call_cannot_reach(run: Killable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no file outside its folder, no variable of ours, nothing of the call before."""
    monkeypatch.setenv("NEGFORGE_SECRET_TOKEN", "hush")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        host, port = listening.getsockname()
        assert run.call(f"import socket; socket.create_connection(('{host}', {port}), 1)", {}).state == "error"
    assert run.call(f"open({str(tmp_path / 'made')!r}, 'w')", {}).state == "error"
    assert run.call(f"import os; os.mkdir({str(tmp_path / 'made')!r})", {}).state == "error"
    assert not list(tmp_path.iterdir())
    assert run.call("import os; assert not [one for one in os.environ if 'NEGFORGE' in one or 'TOKEN' in one]", {}) == Answer("done")
    assert run.call("open('mine', 'w').write('x'); import builtins; builtins.mine = 1", {}) == Answer("done")
    assert run.call("import os, builtins; assert not os.listdir() and not hasattr(builtins, 'mine')", {}) == Answer("done")
    assert run.call("open('mine', 'w').write('x' * (1 << 21))", {}).state == "error"
    handles = "import os\nopen_ = []\nfor one in range(3, 64):\n    try: os.fstat(one); open_.append(one)\n    except OSError: pass\nassert len(open_) == 1, open_"
    assert run.call(handles, {}) == Answer("done")


def test_chance_and_hashes_are_the_same_in_every_call(run: Killable) -> None:
    """What draws without a seed, or walks over a set, gives the same in this keeper and in another."""
    code = "import random; raise ValueError(random.random(), hash('a'), list({'b', 'a', 'c'}))"
    first = run.call(code, {})
    with Killable("builtins:exec", SMALL) as other:
        assert first == run.call(code, {}) == other.call(code, {})


def test_walls_leave_no_process_behind() -> None:
    """A child that goes into a session of its own dies with its call; the processes of others are not to be seen."""
    with Killable("builtins:exec", SMALL) as run:
        code = "import os, time\nif not os.fork():\n    os.setsid(); time.sleep({0})\n    os._exit(0)\nassert os.getpid() == 1"
        made = run.call(code.format(4711), {})
        if not run.walled:
            pytest.skip("no user namespaces here")
        assert made == Answer("done")
        assert run.call("import os; assert not os.listdir('/proc')", {}) == Answer("done")
        assert run._keeper is not None
        assert not [one for one in Path("/proc").glob("[0-9]*") if _parent(one) == run._keeper.pid]


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_a_keeper_that_is_killed_is_started_anew() -> None:
    """A call whose keeper dies is an error, and the next one works."""
    with Killable("operator:add") as add:
        assert add.call(1, 2) == Answer("done", 3)
        assert add._keeper is not None
        os.kill(add._keeper.pid, signal.SIGKILL)
        add._keeper.wait()
        assert add.call(1, 2).state == "error"
        assert add.call(1, 2) == Answer("done", 3)
        folder = Path(add._folder)
        assert folder.is_dir()
    assert not folder.exists()


def test_an_answer_is_data_and_has_an_end() -> None:
    """What JSON does not have, and what is too long, is an error; a function that is not there is told."""
    with Killable("builtins:eval") as run:
        assert run.call("{1}").state == run.call("'x' * (1 << 21)").state == "error"
    with pytest.raises(RuntimeError, match="no_such_module"), Killable("no_such_module:f") as none:
        none.call()

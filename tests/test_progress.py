"""The line a person sees while work goes on: it fits, moves, says why rows are dropped, and leaves nothing behind."""

from __future__ import annotations

import io
import logging
import os
import shutil
import sys
import time
from collections import Counter

import pytest

from negforge import progress as module
from negforge.progress import Progress, clock
from negforge.report import Counts


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def test_progress_is_one_line_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line longer than the terminal would wrap and could not be cleared; at the end nothing is left."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((40, 24)))
    progress = Progress("generate mine.bm25", show=True)
    progress.update(Counts(seen=123456, kept=1000, dropped=Counter({"a": 3})))
    progress.close()
    drawn = stream.getvalue().split("\r\x1b[K")
    assert drawn[-1] == ""
    assert drawn[1] == "generate mine.bm25: 123,456 rows"  # no field is cut


def test_progress_is_silent_and_logs(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Off a terminal nothing is drawn; INFO is a line a stage, DEBUG one a batch."""
    with caplog.at_level(logging.DEBUG, logger="negforge"):
        progress = Progress("filter top", show=False)
        progress.update(Counts(seen=5, kept=4, dropped=Counter({"a": 1})))
        progress.close()
    assert capsys.readouterr().err == ""
    levels = [(one.levelname, one.getMessage()) for one in caplog.records]
    assert levels[1] == ("DEBUG", "filter top: seen 5, kept 4, dropped 1 rows so far")
    assert [level for level, _ in levels] == ["INFO", "DEBUG", "INFO"]


def drawn(monkeypatch: pytest.MonkeyPatch, columns: int = 200) -> Terminal:
    """A terminal that is drawn on."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((columns, 24)))
    return stream


def test_progress_tells_the_share_the_time_left_and_why_rows_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the number of rows is known, how many are to come; drops by reason (huggingface/datatrove#222)."""
    stream = drawn(monkeypatch)
    progress = Progress("filter top", show=True)
    progress._begun -= 10
    progress.expect(4000)
    progress.update(Counts(seen=1000, kept=900, dropped=Counter({"beyond-k": 70, "before": 30})))
    progress.close()
    line = stream.getvalue().split("\r\x1b[K")[-2]
    assert line.startswith("filter top: 1,000 of 4,000 rows (25 %), 0:30 left, ")
    assert line.endswith(", 0:10, kept 900, dropped: beyond-k 70, before 30")


def test_more_rows_than_were_expected_are_told_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """No share above the whole."""
    stream = drawn(monkeypatch)
    progress = Progress("filter top", show=True)
    progress.expect(10)
    progress.update(Counts(seen=11, kept=11))
    progress.close()
    assert "filter top: 11 rows, " in stream.getvalue()


def test_the_clock_goes_on_while_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long step without rows, such as an index, is drawn again and again; nothing is drawn after the end."""
    stream = drawn(monkeypatch)
    monkeypatch.setattr(module, "_TICK_SECONDS", 0.01)
    progress = Progress("generate mine.bm25", show=True)
    progress.phase("preparing")
    deadline = time.monotonic() + 20
    while stream.getvalue().count("preparing") < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    progress.close()
    ended = stream.getvalue()
    assert ended.count("generate mine.bm25: preparing, 0:0") >= 4
    time.sleep(0.05)
    assert stream.getvalue() == ended
    assert ended.endswith("\r\x1b[K")


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (5.9, "0:05"), (754, "12:34"), (3723, "1:02:03"), (360_000, "100:00:00")])
def test_a_clock_is_read_at_a_glance(seconds: float, shown: str) -> None:
    """Minutes and seconds, hours only where there are some."""
    assert clock(seconds) == shown

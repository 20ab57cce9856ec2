"""What a person at a terminal sees while work goes on: one line, drawn anew, that is gone at the end."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
import sys
import threading
import time

from negforge.report import CLEAR, Counts, counted, drawable, printable, reasons

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.5
_LEAST_SECONDS = 0.1
_SURE_SECONDS = 3.0  # before that, how long is left is anybody's guess


class Progress:
    """One line on stderr: what is being done or how many rows of how many, rows a second, time, kept, dropped by reason.

    Silent unless `show`; logs each batch. A thread keeps the clock going while nothing else happens, as when an index is built.
    """

    def __init__(self, title: str, *, show: bool) -> None:
        self._title, self._show, self._stream = title, show, sys.stderr
        self._begun = time.monotonic()
        self._last = 0.0
        self._total: int | None = None
        self._head, self._tail = "reading", ""
        self._lock, self._done = threading.Lock(), threading.Event()
        _log.info("%s: begins", title)
        if show:
            threading.Thread(target=self._tick, daemon=True).start()

    def expect(self, rows: int | None) -> None:
        """How many rows will be seen, where that is known."""
        self._total = rows

    def phase(self, doing: str) -> None:
        """What is done while no rows come, such as `writing`."""
        _log.debug("%s: %s", self._title, doing)
        self._head, self._tail = doing, ""
        self._draw(time.monotonic())

    def update(self, counts: Counts) -> None:
        """Log the batch, and draw at most ten times a second."""
        now, dropped = time.monotonic(), sum(counts.dropped.values())
        _log.debug("%s: seen %d, kept %d, dropped %d rows so far", self._title, counts.seen, counts.kept, dropped)
        if not self._show or now - self._last < _LEAST_SECONDS:
            return
        seconds = max(now - self._begun, 1e-9)
        rate = counts.seen / seconds
        self._head = counted(counts.seen, "row")
        if self._total is not None and 0 < counts.seen <= self._total:
            self._head = f"{counts.seen:,} of {counted(self._total, 'row')} ({counts.seen * 100 // self._total} %)"
            if seconds > _SURE_SECONDS:
                self._head += f", {clock((self._total - counts.seen) / rate)} left"
        self._head += f", {rate:,.0f}/s"
        self._tail = f", kept {counts.kept:,}" + (f", dropped: {reasons(counts.dropped)}" if dropped else "")
        self._draw(now)

    def close(self) -> None:
        """Clear the line."""
        _log.info("%s: ends after %.1f s", self._title, time.monotonic() - self._begun)
        self._done.set()
        if self._show:
            with self._lock, contextlib.suppress(OSError, ValueError):
                self._stream.write(CLEAR)
                self._stream.flush()

    def _tick(self) -> None:
        while not self._done.wait(_TICK_SECONDS):
            now = time.monotonic()
            if now - self._last >= _TICK_SECONDS:
                self._draw(now)

    def _draw(self, now: float) -> None:
        if not self._show:
            return
        self._last = now
        fields = f"{self._head}, {clock(now - self._begun)}{self._tail}".split(", ")
        room = shutil.get_terminal_size().columns - 1
        line = printable(f"{self._title}: {fields[0]}")
        for field in map(printable, fields[1:]):  # those that fit, whole: half a number is none
            if len(line) + len(field) + 2 > room:
                break
            line += f", {field}"
        with self._lock, contextlib.suppress(OSError, ValueError):  # nobody is left to look at it
            if not self._done.is_set():
                # A line that wraps could not be cleared.
                self._stream.write(CLEAR + line[:room])
                self._stream.flush()


def drawable_now(output: str | None, *, quiet: bool) -> bool:
    """Whether there is a place for the line: a terminal, and no later command of a pipe that draws there as well."""
    if quiet or not drawable(sys.stderr):
        return False
    with contextlib.suppress(OSError, ValueError):
        return output not in (None, "-") or not stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)
    return True


def clock(seconds: float) -> str:
    """Seconds as 0:05, 12:34 or 1:02:03."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"

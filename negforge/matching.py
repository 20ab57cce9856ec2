"""Matches texts by a pattern of Python's `re`, each in bounded time: called in a process that can be killed, by `verify.regex`.

`re` backtracks: `(a+)+$` on thirty letters takes minutes. It looks for signals as it goes, so a timer ends most matches, one text at
a time; what no timer ends, such as the making of a pattern, ends with the process.
"""

from __future__ import annotations

import re
import signal
from types import FrameType
from typing import NoReturn


class _Late(Exception):  # noqa: N818 - it is no error
    """A match has had its time."""


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise _Late


def matches(pattern: str, texts: list[str], full: bool, ignore_case: bool, seconds: float) -> list[bool | None] | None:
    """Whether each text matches, None for one that took longer than so many seconds of computing; None alone for no pattern."""
    try:
        compiled = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    except (re.error, RecursionError, OverflowError):
        return None
    signal.signal(signal.SIGVTALRM, _stop)
    found: list[bool | None] = []
    for text in texts:
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
            said = compiled.fullmatch(text) if full else compiled.search(text)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            found.append(said is not None)
        except (_Late, RecursionError):
            found.append(None)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return found

"""Runs Python that stands in the data, only ever in a process that can be killed: see `negforge.killable`.

Nothing but the standard library is imported here. What a program prints goes nowhere.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import errno
import io
import itertools
import random
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any

_FENCE = re.compile(r"^[ \t]*```[ \t]*([A-Za-z0-9+#-]*)[ \t]*\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
# What a program may meet only because of where it runs: that says nothing of it.
_OURS = (ImportError, OSError, MemoryError, KeyboardInterrupt, RecursionError)
_LIMITS = frozenset((errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EFBIG, errno.EDQUOT))
_LONGEST_WITNESS = 400
_LONGEST_CHAIN = 16  # of errors that come of one another
_SECONDS_A_CALL = 0.3
_MOST_INPUTS = 300
_REAL = re.compile(r"(?<![\w.])[0-9]+\.[0-9]+(?:e[+-]?[0-9]+)?(?![\w.])")
_FILE = "<candidate>"


def code_of(text: str) -> tuple[str, int] | None:
    """The Python in a text and where it begins: its only fenced block, or all of it where it has none. None where it has several."""
    blocks = [*_FENCE.finditer(text)]
    if not blocks:
        return text, 0
    if len(blocks) > 1 or blocks[0][1].lower() not in ("", "python", "py", "python3"):
        return None
    return blocks[0][2], blocks[0].start(2)


def tested(code: str, tests: Sequence[str], examples: Sequence[Sequence[str]]) -> list[str]:
    """How a program does: `passed`, or `failed` with the first test it fails or the first example it answers wrongly; else `unknown`, why.

    tests: statements, run after the program in its own names. examples: what it reads and what it should print.
    """
    try:
        program = compiled(code, _FILE)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return ["unknown", f"unparsed: {type(error).__name__}"]
    verdict = _statements(program, tests) if tests else ["passed", ""]
    return _printed(program, examples) if verdict[0] == "passed" and examples else verdict


def compiled(code: str, name: str) -> Any:
    """The code object of a program, docstrings left out; assertions stay. No warning is shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(code, name, "exec", dont_inherit=True, optimize=0)


def _statements(program: Any, tests: Sequence[str]) -> list[str]:
    names: dict[str, Any] = {"__name__": "candidate", "__builtins__": builtins}
    for at, test in enumerate(("", *tests)):
        try:
            exec(program if not at else compiled(test, "<test>"), names)  # noqa: S102 - what this module is for
        except _OURS as error:
            return ["unknown", _named(error)]
        except SyntaxError:
            return ["unknown", "a test that cannot be read"]
        except BaseException as error:  # noqa: BLE001 - whatever it raises, it did not pass
            if _of_a_limit(error):
                return ["unknown", _named(error)]
            return ["failed", f"{test or 'the program itself'}: {_named(error)}"[:_LONGEST_WITNESS]]
    return ["passed", ""]


def _printed(program: Any, examples: Sequence[Sequence[str]]) -> list[str]:
    for given, wanted in examples:
        out = io.StringIO()
        stood = sys.stdin, sys.stdout
        sys.stdin, sys.stdout = io.StringIO(given), out
        try:
            exec(program, {"__name__": "__main__", "__builtins__": builtins})  # noqa: S102
        except _OURS as error:
            return ["unknown", _named(error)]
        except SystemExit:
            pass
        except BaseException as error:  # noqa: BLE001
            if _of_a_limit(error):
                return ["unknown", _named(error)]
            return ["failed", f"of {given!r}: {_named(error)}"[:_LONGEST_WITNESS]]
        finally:
            sys.stdin, sys.stdout = stood
        if _lines(out.getvalue()) != _lines(wanted):
            return ["failed", f"of {given[:100]!r}: {out.getvalue()[:100]!r}, not {wanted[:100]!r}"]
    return ["passed", ""]


def _of_a_limit(error: BaseException | None) -> bool:
    """Whether an error, or one that it comes of, is of a limit that a program has only here: memory, threads, processes, open files."""
    for _ in range(_LONGEST_CHAIN):
        if error is None:
            return False
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _LIMITS):
            return True
        if isinstance(error, RuntimeError) and "start new thread" in str(error):
            return True
        error = error.__cause__ if error.__cause__ is not None else error.__context__
    return False


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().split("\n")]


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")[:200]


# -- two programs side by side -----------------------------------------------------------------------------------------


def witness(one: str, other: str, function: str) -> str | None:
    """An input on which a function of two programs differs, with both answers; empty where none was found, None where none is answered.

    Only inputs that the first one answers, each time alike, count, and no answer that shows an address or does not come in time.
    """
    first, second = (_function(code, function) for code in (one, other))
    if first is None:
        return None
    if second is None:
        return ""
    answered = False
    for arguments in _inputs(first):
        told = _outcome(first, arguments)
        if told is None or told[0] == "raises" or _outcome(first, arguments) != told:
            continue
        answered = True
        differs = _outcome(second, arguments)
        if differs is None or differs == told:
            continue
        # Once more with both as they were at first: what earlier inputs left behind is no difference.
        anew = [_function(code, function) for code in (one, other)]
        if [made and _outcome(made, arguments) for made in anew] == [told, differs]:
            shown = ", ".join(map(repr, arguments))
            return f"{function}({shown}) {_shown(told)}; changed, it {_shown(differs)}"[:_LONGEST_WITNESS]
    return "" if answered else None


def _function(code: str, name: str) -> FunctionType | None:
    names: dict[str, Any] = {"__name__": "candidate", "__builtins__": builtins}
    try:
        exec(compiled(code, _FILE), names)  # noqa: S102
    except BaseException:  # noqa: BLE001 - what cannot be defined has no witness
        return None
    found = names.get(name)
    return found if isinstance(found, FunctionType) else None


_WHOLE = (0, 1, 2, 3, 5, 10, -1, 7, 100, -3)
_TEXTS = ("", "a", "ab", "hello world", "Abc 12", "a,b;c", "  x ", "2024-01-31", "aba")
_LISTS: tuple[Any, ...] = ([], [1], [1, 2, 3], [3, 1, 2], [2, 2, 1, 5], ["b", "a"], ["ab", "a", ""], [[1, 2], [3, 4]], [0.5, 1.5])
_REALS = (0.5, 0.0, 1.0, 2.5, -1.5, 0.1)
_REST: tuple[Any, ...] = (None, True, False, {}, {"a": 1, "b": 2}, (1, 2), (), {1, 2}, b"ab")
_POOLS: dict[str, tuple[Any, ...]] = {"int": _WHOLE, "str": _TEXTS, "list": _LISTS, "float": _REALS, "bool": (True, False)}


def _inputs(function: FunctionType) -> Iterator[list[Any]]:
    """Arguments to try: of one kind each time, as annotated where they are, first those a function cannot do without."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    needed = len(names) - len(function.__defaults__ or ())
    if code.co_kwonlyargcount and len(function.__kwdefaults__ or {}) < code.co_kwonlyargcount:
        return
    chance = random.Random(0)  # noqa: S311 - the same inputs for everybody
    pools = [_pool(str(function.__annotations__.get(name, ""))) for name in names]
    made = 0
    for size in dict.fromkeys((needed, len(names))):
        kinds = (_WHOLE, _LISTS, _TEXTS, _REALS, (*_WHOLE[:5], *_TEXTS[1:4], *_LISTS[1:4], *_REST))
        tries = [itertools.product(*(own or pool for own in pools[:size])) for pool in (kinds if not all(pools[:size]) else kinds[:1])]
        for some in tries:
            every = list(itertools.islice(some, 4000))
            for one in every if len(every) <= 60 else chance.sample(every, 60):
                yield list(one)
                made += 1
                if made >= 2 * _MOST_INPUTS:
                    return


def _pool(annotation: str) -> tuple[Any, ...]:
    word = annotation.removeprefix("<class '").partition("'")[0].partition("[")[0].lower()
    return _POOLS.get(word, ())


class _Late(BaseException):
    """A call took too long."""


def _outcome(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[str, str] | None:
    """What a call gives, with what it made of its arguments, or what it raises; None where that cannot be compared."""

    def late(*_: object) -> None:
        raise _Late

    given = copy.deepcopy(list(arguments))
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS_A_CALL)
    try:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            value = function(*given)
            if hasattr(value, "__next__"):
                value = list(itertools.islice(value, 100))
            # Digits that hang on the order of operations are no difference.
            shown = _REAL.sub(lambda match: f"{float(match[0]):.9g}", _seen(value, given, out.getvalue(), arguments))
    except _Late:
        return None
    except (*_OURS, NameError):  # a name that the rest of its file would have
        return None
    except BaseException as error:  # noqa: BLE001 - what it raises is what it does
        if _of_a_limit(error):
            return None
        return "raises", type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None if " at 0x" in shown or len(shown) > 1 << 16 else ("gives", shown)


def _seen(value: Any, given: list[Any], printed: str, arguments: Sequence[Any]) -> str:
    """An answer, with what was printed and what became of the arguments, where anything did."""
    changed = repr(given) != repr(list(arguments))
    return repr(value) + (f" and leaves {given!r}" if changed else "") + (f" and prints {printed!r}" if printed else "")


def _shown(outcome: tuple[str, str]) -> str:
    kind, told = outcome
    return f"raises {told}" if kind == "raises" else f"gives {told}"

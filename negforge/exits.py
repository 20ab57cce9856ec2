"""How a command ends: every error becomes a message on stderr and an exit code, whatever becomes of the streams."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import typer

from negforge import plugins, registry
from negforge.errors import NegforgeError, OperatorError, StorageError, UsageError, did_you_mean
from negforge.report import CLEAR, drawable, printable

# What the operating system says when the disk or a permission is in the way, and not the program wrong.
_STORAGE = {
    getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EIO", "EROFS", "EACCES", "EPERM", "EFBIG", "EBADF") if hasattr(errno, name)
}


_AGAIN = "nothing half-written is left; run the same command again"


class Terminated(BaseException):
    """SIGTERM came: unwind, clean up, exit 143."""


def say(text: str) -> None:
    """Write lines to stderr; nothing in them can steer a terminal, and a line half drawn there is cleared first."""
    lines = "\n".join(printable(line) for line in text.split("\n"))
    # Nobody is left to read a complaint about stderr.
    with contextlib.suppress(OSError):
        sys.stderr.write((CLEAR if drawable(sys.stderr) else "") + lines + "\n")
        sys.stderr.flush()


def guarded(call: Callable[[], int]) -> int:
    """Run a command and return its exit code, its message said."""
    code = _ended(call)
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        # What is left in the buffer must not complain when Python exits.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _ended(call: Callable[[], int]) -> int:
    try:
        with _terminable():
            code = call()
            sys.stdout.flush()
            return code
    except typer.Exit as done:
        return done.exit_code
    except NegforgeError as error:
        if error.exit_code == 70 and not isinstance(error, OperatorError):
            say(traceback.format_exc())
        say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt as stop:
        say(f"interrupted: {str(stop) or _AGAIN}")
        return 130
    except Terminated as stop:
        say(f"terminated: {str(stop) or _AGAIN}")
        return 143
    except OSError as error:
        if error.errno == errno.EPIPE and _reader_left():
            return 0
        if error.errno not in _STORAGE:
            return _bug()
        where = str(error.filename or "standard output, or the folder for temporary files")
        say(f"error: {StorageError(f'cannot write: {error.strerror}', where, 'free some space or choose another place')}")
        return StorageError.exit_code
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - the last door: whatever comes becomes a message and an exit code
        # A signal that comes while Polars calls Python arrives as a panic, which is no Exception.
        for kind, said, exit_code in ((KeyboardInterrupt, "interrupted", 130), (Terminated, "terminated", 143)):
            if f"type: {kind!r}" in str(error):
                say(f"{said}: {_AGAIN}")
                return exit_code
        return _bug()


def _bug() -> int:
    say(traceback.format_exc())
    say("error: this is a bug of negforge; please report it with the lines above")
    return 70


def _reader_left() -> bool:
    """Whether the other end of our standard output is closed, so that a broken pipe is that one and nothing is wrong."""
    with contextlib.suppress(OSError, ValueError):
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    return False


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def interruptible() -> None:
    """Hear an interrupt once, and at once: let it break off a read. To be called when Polars is imported.

    Polars puts a handler of its own before Python's. An interrupt that comes while it works is then raised twice, by Polars and
    once more by Python, in the midst of cleaning up; and the system resumes a read, so that a stage that waits for rows never
    hears it.
    """
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))


def whole_streams() -> None:
    """Open what was closed of the three standard streams, so that no file of ours gets the number of one.

    Reading from such a stream finds nothing; writing data to it fails.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            handle = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)  # the lowest free number: this one
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(handle, mode, encoding="utf-8", closefd=False))


def usage_error(error: Any, ctx: Any) -> UsageError:
    """What the parser of the command line complains about, in our words; with the nearest name for an unknown option.

    error, ctx: of the Click that Typer vendors, whose classes are not public.
    """
    here = f"{ctx.command_path} --help"
    if hasattr(error, "possibilities"):
        if error.option_name == "--plugins":
            return plugins.misplaced(ctx.command_path.replace("negforge", "negforge --plugins DIR", 1))
        flags = [flag for one in ctx.command.get_params(ctx) for flag in (*one.opts, *one.secondary_opts)]
        # `filter top --where`: what is meant is another filter. `filter where --where`: its expression, under no such name.
        verb, own, word = [*ctx.command_path.split(), ""][1], ctx.command_path.split()[-1], error.option_name.removeprefix("--")
        mend = f"{here} lists them" if word == own else did_you_mean(error.option_name, flags, f"{here} lists them")
        if word != own and verb in registry.VERBS and verb != "generate" and word in registry.operators(verb):
            mend = f"did you mean negforge {verb} {word}?"
        return UsageError(f"{ctx.command_path} has no option '{error.option_name}'", mend=mend)
    names = getattr(getattr(error, "param", None), "opts", [])
    if names and not getattr(error.param, "required", False):
        return UsageError(f"{names[0]}: {error.message}", mend=here)
    what = error.format_message().rstrip(".")
    return UsageError(what[:1].lower() + what[1:], mend=here)

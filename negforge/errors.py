"""Errors for the person who must act: what was wrong, where, how to mend it, and the exit code that says whose turn it is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NegforgeError(Exception):
    """The base of every error a user can meet.

    what: one sentence on what was wrong. where: file, row, column or key. mend: what to type or change.
    `exit_code` is the process's exit code when the error reaches the command line.
    """

    exit_code = 70

    def __init__(self, what: str, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.mend = what, where, mend

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  at:   {self.where}")
        if self.mend:
            lines.append(f"  mend: {self.mend}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[type[NegforgeError], tuple[str, ...]]:
        # Errors cross process borders: a worker's complaint must arrive whole.
        return type(self), (self.what, self.where, self.mend)


class UsageError(NegforgeError):
    """The command, an option or a pipeline file is wrong: the person who typed it mends it."""

    exit_code = 2


class OptionError(UsageError):
    """The value of one option is wrong. `problem` goes on from the option's name, which a pipeline file spells as a key."""

    def __init__(self, option: str, problem: str, where: str = "", mend: str = "") -> None:
        super().__init__(f"--{option.replace('_', '-')} {problem}", where, mend)
        self.option, self.problem = option, problem

    def __reduce__(self) -> tuple[type[NegforgeError], tuple[str, ...]]:
        return type(self), (self.option, self.problem, self.where, self.mend)


class FaultsError(UsageError):
    """Several faults of one command or pipeline file, told together."""

    def __init__(self, faults: Iterable[UsageError], subject: str) -> None:
        self.faults, self.subject = tuple(faults), subject
        count = len(self.faults)
        super().__init__(f"{subject} has {count} fault{'s' if count > 1 else ''}")

    def __str__(self) -> str:
        return "\n".join([self.what, *(f"- {fault}" for fault in self.faults)])

    def __reduce__(self) -> tuple[type[NegforgeError], tuple[str, ...]]:
        return UsageError, (str(self), "", "")


class PipelineError(FaultsError):
    """Faults of a pipeline file, all of them, each with its stage and key."""


def together(faults: list[UsageError], subject: str) -> UsageError:
    """One error for one or more faults."""
    return faults[0] if len(faults) == 1 else FaultsError(faults, subject)


class OperatorError(NegforgeError):
    """The code of an operator is wrong, found as it ran: whoever wrote it mends it."""


class InputError(NegforgeError):
    """The data is wrong: malformed, inconsistent, cut off or tampered with."""

    exit_code = 3


class NewerFormatError(InputError):
    """A newer negforge wrote it: nothing is wrong with it but our age."""


class RemoteError(NegforgeError):
    """A remote service refused, or failed for longer than we tried."""

    exit_code = 4


class StorageError(NegforgeError):
    """The disk or the permissions are in the way."""

    exit_code = 5


def near(name: str, names: Iterable[str]) -> str:
    """The known name nearest to a misspelt one, or an empty string if none is near."""
    known = list(names)
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6) or difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return found[0] if found else ""


def did_you_mean(name: str, names: Iterable[str], otherwise: str) -> str:
    """The mend for a name that is not known: the nearest one, or what else to do."""
    guess = near(name, names)
    return f"did you mean {guess}?" if guess else otherwise


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names for a message, in one line, cut after `most`."""
    names = list(names)
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")

"""What the command line ends with, in one place: exit codes, and the errors that lead to them."""

from __future__ import annotations

import enum
from typing import Self


class Exit(enum.IntEnum):
    """Exit codes; `meaning` is the line of docs/cli.md."""

    meaning: str

    FINE = 0, "Done, and all is well."
    NOT_WELL = (
        1,
        (
            "The answer is no: a job did not succeed, a plan or a check has blockers, a diagnosis"
            " found a cause, an identity is not the pinned one, evidence is not proven, a test was"
            " not taken."
        ),
    )
    USAGE = 2, "The command cannot be carried out as it was given, or a process cannot start."
    REFUSED = 3, "The service refused: its problem is on stderr, with what to do."
    NOT_REACHABLE = 4, "The service could not be reached, or did not answer in time."
    INTERRUPTED = 130, "Ctrl-C. A job that was watched goes on."

    def __new__(cls, value: int, meaning: str) -> Self:
        """A number that knows its meaning."""
        made = int.__new__(cls, value)
        made._value_ = value
        made.meaning = meaning
        return made


class Stopped(Exception):
    """A command ends here, with this exit code and these words on stderr."""

    def __init__(self, code: Exit, words: str) -> None:
        super().__init__(words)
        self.code = code


def misused(words: str) -> Stopped:
    """What was given cannot be carried out; nothing was asked of the service."""
    return Stopped(Exit.USAGE, words)

"""Exit codes: what each means, and which of our exceptions ends in which.

The rule of this module: scripts rely on these numbers, so they are never given another meaning.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from sessioncache import errors
from sessioncache.errors import SessionCacheError

__all__ = ["EXIT_HELP", "Exit", "exit_code_for"]


class Exit(IntEnum):
    """How a command ended."""

    OK = 0
    NO = 1
    USAGE = 2
    UNAVAILABLE = 3
    CONFIGURATION = 4
    DATA = 5
    REFUSED = 6
    INCOMPLETE = 7
    DEFECT = 70
    SYSTEM = 74
    INTERRUPTED = 130


MEANINGS: Final[dict[Exit, str]] = {
    Exit.OK: "done",
    Exit.NO: "the command's own no: a session that is not there, a proof that failed, a problem found",
    Exit.USAGE: "an argument that cannot work; nothing was sent",
    Exit.UNAVAILABLE: "the server cannot be reached, or did not answer in time",
    Exit.CONFIGURATION: "URL, settings, password, rights or server that cannot work",
    Exit.DATA: "damaged data: a record or message in Redis, or a line of a conversation file",
    Exit.REFUSED: "the server refused: somebody was first, a limit, no memory left",
    Exit.INCOMPLETE: "nothing wrong was found, but not all was looked at",
    Exit.DEFECT: "a defect of this program",
    Exit.SYSTEM: "this machine refused: the output or a file that cannot be written or read, a port in use",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
}

EXIT_HELP: Final = "\b\n" + "\n".join(
    ["Exit codes:", *(f"  {code.value:>3}  {text}" for code, text in MEANINGS.items())]
)
"""The table as `--help` prints it."""

BY_CLASS: Final[tuple[tuple[type[SessionCacheError], Exit], ...]] = (
    (errors.InvalidArgument, Exit.USAGE),
    (errors.ConfigurationError, Exit.CONFIGURATION),
    (errors.AccessDenied, Exit.CONFIGURATION),
    (errors.BackendUnavailable, Exit.UNAVAILABLE),
    (errors.BackendTimeout, Exit.UNAVAILABLE),
    (errors.DataError, Exit.DATA),
    (errors.NotFound, Exit.NO),
    (SessionCacheError, Exit.REFUSED),
)


def exit_code_for(error: SessionCacheError) -> Exit:
    """The code that a command ends with when this exception reaches the top."""
    return next(code for kind, code in BY_CLASS if isinstance(error, kind))

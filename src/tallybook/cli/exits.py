"""Exit codes, which people script against."""

from enum import IntEnum
from typing import TYPE_CHECKING

from tallybook.domain.errors import Conflict, TallybookError

if TYPE_CHECKING:
    from tallybook.domain.run import Status


class ExitCode(IntEnum):
    """0 to 8 are promised; the last two are what every Unix tool ends with when a pipe closes or Ctrl-C is hit."""

    OK = 0
    ERROR = 1
    USAGE = 2
    WITH_ERRORS = 3
    CONFLICT = 4
    DIFFERENCE = 5
    FAILED = 6
    STOPPED = 7
    PAUSED = 8
    INTERRUPTED = 130
    PIPE_CLOSED = 141


_OF_STATUS = {
    "completed": ExitCode.OK,
    "completed_with_errors": ExitCode.WITH_ERRORS,
    "failed": ExitCode.FAILED,
    "canceled": ExitCode.STOPPED,
    "timed_out": ExitCode.STOPPED,
    "paused": ExitCode.PAUSED,
}


def code_of_status(status: "Status") -> ExitCode:
    """How a command ends that waited for a run. A run still under way is no error."""
    return _OF_STATUS.get(status.value, ExitCode.OK)


def code_of_error(error: TallybookError) -> ExitCode:
    return ExitCode.CONFLICT if isinstance(error, Conflict) else ExitCode.ERROR

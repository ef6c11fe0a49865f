"""How a program ends: its exit statuses, Ctrl-C, and a reader of its output that has gone."""

import io
import os
import sys
from collections.abc import Callable

#: Exit statuses; docs/command_line.md explains them.
DONE, FAILED, WRONG_USAGE = 0, 1, 2
#: Of `verify`, as of diff and cmp: there, 1 says that the two sides differ.
CANNOT_COMPARE = 2
#: As shells report SIGINT and SIGPIPE.
INTERRUPTED, CLOSED_PIPE = 130, 141


def guarded(program: str, work: Callable[[], int | None], interrupted: str = "interrupted") -> int:
    """Does the work and returns its exit status; Ctrl-C and a closed pipe have statuses of their own.

    `interrupted` is the line on stderr after Ctrl-C, with the name of the program in front.
    """
    try:
        status = work() or DONE
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"{program}: {interrupted}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return CLOSED_PIPE
    return status


def _discard_output() -> None:
    """Sends what is left to nowhere: Python flushes stdout once more when it ends, which must not fail again."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # a stdout that is no file has nothing to flush
        sys.stdout = io.StringIO()

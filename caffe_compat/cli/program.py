"""Runs one command: its exit status, and one line for whatever goes wrong."""

import argparse
import logging
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from caffe_compat.cli.endings import DONE, FAILED, WRONG_USAGE, guarded
from caffe_compat.cli.parser import CommandParser, UsageError
from caffe_compat.errors import CaffeError
from caffe_compat.logs.glog import environment_level, log_to_stderr, only_warnings_on_stderr
from caffe_compat.terminal.progress import no_progress

logger = logging.getLogger("caffe_compat")

Work = Callable[[argparse.Namespace], int]


def run_program(
    parser: CommandParser,
    work: Work,
    argv: Sequence[str] | None,
    interrupted: str = "interrupted",
    failed: int = FAILED,
) -> int:
    """Parses `argv` (default: the process's arguments) and does the work; returns the exit status.

    Errors become one line on stderr, in Caffe's log where the parser says so. `interrupted` is the line after Ctrl-C,
    `failed` the status after an error.
    """
    if parser.logs:
        log_to_stderr(environment_level())

    def parse_and_work() -> int:
        try:
            arguments = parser.parse_args(sys.argv[1:] if argv is None else list(argv))
            with _as_loud_as_asked(arguments):
                return work(arguments)
        except SystemExit as leaving:  # argparse leaves this way after --help
            return leaving.code if isinstance(leaving.code, int) else DONE
        except BrokenPipeError:
            raise
        except Exception as error:
            _complain(parser, _one_line(error))
            return WRONG_USAGE if isinstance(error, UsageError) else failed

    return guarded(parser.prog, parse_and_work, interrupted)


@contextmanager
def _as_loud_as_asked(arguments: argparse.Namespace) -> Iterator[None]:
    """Obeys --quiet while the block runs: no progress, and only warnings and errors of the log on stderr."""
    if not getattr(arguments, "quiet", False):
        yield
        return
    with no_progress(), only_warnings_on_stderr():
        yield


def _one_line(error: Exception) -> str:
    """Returns the line that tells the user of an error; the traceback of an unexpected error goes to a file."""
    if isinstance(error, CaffeError | OSError):
        return str(error)
    return f"unexpected {type(error).__name__}: {error}; please report it with {_trace_file()}"


def _complain(parser: CommandParser, message: str) -> None:
    if parser.logs:
        logger.critical("%s", message)
    else:
        print(f"{parser.prog}: {message}", file=sys.stderr)


def _trace_file() -> Path:
    """Writes the traceback of the exception being handled to a new private file and returns its path."""
    descriptor, name = tempfile.mkstemp(prefix="caffe-compat-", suffix=".txt")
    with open(descriptor, "w", encoding="utf-8") as file:
        traceback.print_exc(file=file)
    return Path(name)

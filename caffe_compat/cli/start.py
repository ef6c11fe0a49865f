"""The entry of the program: the table of commands, and how a command is found, run and ended.

Large libraries are imported only after the command is known, so that Ctrl-C in the first seconds prints one line.
"""

import argparse
import gc
import importlib
import io
import logging
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import caffe_compat
from caffe_compat.cli.parser import CommandParser, UsageError
from caffe_compat.errors import CaffeError, for_a_terminal, nearest
from caffe_compat.logs.glog import environment_level, log_to_stderr, only_warnings_on_stderr
from caffe_compat.terminal.progress import no_progress

logger = logging.getLogger("caffe_compat")


class Command(NamedTuple):
    """A command: its line in the list, and the name of the equivalent program in tools/, if there is one."""

    summary: str
    tool: str = ""


#: Caffe's own commands.
CAFFES = {
    "train": Command("train or finetune a model"),
    "test": Command("score a model"),
    "time": Command("benchmark model execution time"),
    "device_query": Command("show GPU diagnostic information"),
    "upgrade_net_proto_text": Command("upgrade a net's prototxt to today's format"),
    "upgrade_net_proto_binary": Command("upgrade a .caffemodel to today's format"),
    "upgrade_solver_proto_text": Command("upgrade a solver's prototxt to today's format"),
    "convert_imageset": Command("write images and labels into an LMDB or LevelDB"),
    "compute_image_mean": Command("compute the mean image of an LMDB or LevelDB"),
    "extract_features": Command("write the values of a net's blobs into databases"),
}
#: Commands that Caffe does not have.
OURS = {
    "generate": Command("write every net and solver of the paper as Caffe files"),
    "convert": Command("convert trained nets to and from Caffe's formats", "convert_caffemodel"),
    "verify": Command("compare a net layer by layer with another runtime", "verify_parity"),
    "summary": Command("print a net's layers with shapes, costs and totals"),
    "view": Command("write a page to explore a net in a browser"),
    "predict": Command("save a net's raw scores for the images of a list", "predict"),
    "evaluate": Command("compute mAP, F1, precision and recall of raw scores", "evaluate"),
    "prepare": Command("write a dataset in the released file layout", "prepare_dataset"),
    "train-stages": Command("train a model in the paper's four steps", "train_stages"),
    "visualize": Command("draw attention maps over images", "visualize_attention"),
    "parse-log": Command("turn a training log into two tables", "parse_log"),
    "plot-log": Command("draw curves of training logs", "plot_training_log"),
    "create-label-lmdb": Command("write label vectors into an LMDB", "create_label_lmdb"),
    "record": Command("record every blob of a run inside another pycaffe"),
    "run": Command("run an unmodified pycaffe script"),
    "demo": Command("generate, train, evaluate and check a small SRN", "demo"),
    "reproduce": Command("train and measure every row of a table of the paper or of the study of its mechanism"),
    "doctor": Command("check Python, torch, OpenCV and the other parts, and say what to do"),
    "completion": Command("print a completion script for a shell"),
}
#: Every command; the module in caffe_compat.cli.commands has its name, with underscores.
COMMANDS = CAFFES | OURS
#: Programs of tools/ and the commands that they run.
TOOLS = {command.tool: name for name, command in COMMANDS.items() if command.tool}


def module_name(command: str) -> str:
    """Returns the name of the module that holds a command."""
    return f"caffe_compat.cli.commands.{command.replace('-', '_')}"


def program_name(command: str) -> str:
    """Returns the name under which the user called a command: `evaluate.py` or `caffe-compat evaluate`."""
    called = Path(sys.argv[0])
    return called.name if TOOLS.get(called.stem) == command else f"caffe-compat {command}"


#: Exit statuses; docs/command_line.md explains them.
DONE, FAILED, WRONG_USAGE = 0, 1, 2
#: Of `verify`, as of diff and cmp: there, 1 says that the two sides differ.
CANNOT_COMPARE = 2
#: As shells report SIGINT and SIGPIPE.
INTERRUPTED, CLOSED_PIPE = 130, 141


def guarded(program: str, work: Callable[[], int | None], interrupted: str = "interrupted") -> int:
    """Calls the function and returns its exit status; Ctrl-C and a closed pipe have their own statuses.

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
    """Discards the rest of the output: Python flushes stdout once more at its end, and this must not fail again."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # a stdout that is no file has nothing to flush
        sys.stdout = io.StringIO()


Work = Callable[[argparse.Namespace], int]


def command_parser(command: str, description: str, example: str = "") -> CommandParser:
    """The parser of one command of the table, without its flags."""
    result = CommandParser(
        prog=program_name(command),
        description=description,
        epilog=f"example:\n  {example}" if example else None,
    )
    result.logs = command in CAFFES
    return result


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


#: How Python holds bytes of a command line that are not UTF-8.
_NOT_UTF8 = re.compile("[\ud800-\udfff]")


def _one_line(error: Exception) -> str:
    """Returns the line that tells the user of an error; the traceback of an unexpected error goes to a file."""
    if isinstance(error, OSError) and error.strerror:
        return for_a_terminal(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    if isinstance(error, CaffeError | OSError):
        return for_a_terminal(str(error))
    if isinstance(error, UnicodeEncodeError) and _NOT_UTF8.search(error.object):  # which only a command line gives
        return for_a_terminal(f"expected text in UTF-8, found '{error.object}'")
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


class CommandModule(Protocol):
    """The module of a command."""

    def parser(self) -> CommandParser: ...

    def main(self, argv: Sequence[str] | None = None) -> int: ...


def open_standard_streams() -> None:
    """Opens /dev/null for each standard stream that the caller has closed.

    Otherwise a file would get the number of stderr, and messages of a library would be written into this file.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
            nowhere = io.FileIO(number, "w" if number else "r", closefd=False)
            setattr(sys, name, io.TextIOWrapper(nowhere, encoding="utf-8"))


def start(arguments: Sequence[str]) -> int:
    """Runs the command `arguments[0]` with the rest; returns its exit status."""
    open_standard_streams()
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")  # our errors report what OpenCV refuses
    given = arguments[0] if arguments else "help"
    if text := answer(given):
        return guarded("caffe-compat", lambda: print(text))
    name = find_command(given)
    if name is None:
        print(f"caffe-compat: unknown command '{given}'{_nearest(given)}\n\n{overview()}", file=sys.stderr)
        return WRONG_USAGE
    return run_command(name, arguments[1:])


def answer(given: str) -> str:
    """Returns the text that --help or --version prints; "" for everything else."""
    if given.lstrip("-") in ("help", "h"):
        return overview()
    return f"caffe-compat {caffe_compat.__version__}" if given == "--version" else ""


def start_tool(file: str) -> int:
    """Runs the command of a program in tools/ with the process's arguments; `file` is the program's path."""
    open_standard_streams()
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    return run_command(TOOLS[Path(file).stem], sys.argv[1:])


def run_command(name: str, arguments: Sequence[str]) -> int:
    """Runs one command; returns its exit status."""

    return guarded(program_name(name), lambda: _import_command(name).main(arguments))


def _import_command(name: str) -> CommandModule:
    """Imports the module of a command. The garbage collector rests meanwhile: what imports make is never garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return cast(CommandModule, importlib.import_module(module_name(name)))
    finally:
        if was_enabled:
            gc.freeze()
            gc.unfreeze()  # into the oldest generation, which is seldom looked through
            gc.enable()


def find_command(given: str) -> str | None:
    """Returns the command of this name, or None; underscores and dashes are alike."""
    plain = {name.replace("_", "-"): name for name in COMMANDS}
    return plain.get(given.replace("_", "-"))


def overview() -> str:
    """Returns the list of commands as text."""
    lines = ["usage: caffe-compat COMMAND [FLAGS] [ARGUMENTS]", "       caffe-compat COMMAND --help", ""]
    for title, commands in {"Caffe's commands:": CAFFES, "other commands:": OURS}.items():
        lines += [title, *(f"  {name:26}{command.summary}" for name, command in commands.items()), ""]
    return "\n".join([*lines, "caffe-compat --version prints the version; docs/command_line.md has every flag."])


def _nearest(given: str) -> str:
    near = nearest(given, ("--help", "--version") if given.startswith("-") else COMMANDS)
    return f"; did you mean '{near}'?" if near else ""

"""The program's entry: finds the command that the command line names and runs it.

Nothing heavy is imported before a command is known, so that Ctrl-C in the first seconds is one line.
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

import caffe_compat
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.program import CAFFES, COMMANDS, OURS, TOOLS, WRONG_USAGE, guarded, module_name, program_name
from caffe_compat.errors import nearest


class CommandModule(Protocol):
    """The module of a command."""

    def parser(self) -> CommandParser: ...

    def main(self, argv: Sequence[str] | None = None) -> int: ...


def start(arguments: Sequence[str]) -> int:
    """Runs the command `arguments[0]` with the rest; returns its exit status."""
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
    return run_command(TOOLS[Path(file).stem], sys.argv[1:])


def run_command(name: str, arguments: Sequence[str]) -> int:
    """Runs one command; returns its exit status."""

    def import_and_run() -> int:
        module = cast(CommandModule, importlib.import_module(module_name(name)))
        return module.main(arguments)

    return guarded(program_name(name), import_and_run)


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
    near = nearest(given, COMMANDS)
    return f"; did you mean '{near}'?" if near else ""

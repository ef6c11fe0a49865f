"""Print a script that lets a shell complete commands, flags and choices."""

import argparse
from collections.abc import Sequence

from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.errors import MissingFeatureError

SHELLS = ("bash", "zsh", "tcsh")


def parser() -> CommandParser:
    """The command line."""
    result = command_parser(
        "completion", __doc__ or "",
        "caffe-compat completion bash > ~/.local/share/bash-completion/completions/caffe-compat",
    )  # fmt: skip
    result.add_argument("shell", choices=SHELLS, help="the shell")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Prints the script, which shtab makes from the parsers of all commands."""
    from caffe_compat.cli.all_parsers import whole_parser

    try:
        import shtab
    except ImportError as error:
        raise MissingFeatureError(
            "completion needs the package shtab: pip install 'caffe-compat[completion]'"
        ) from error
    print(shtab.complete(whole_parser(), arguments.shell))
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

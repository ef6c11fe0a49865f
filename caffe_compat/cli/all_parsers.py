"""The parsers of all commands together: for the page of commands and for shell completion."""

import argparse
import importlib
from typing import cast

from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import COMMANDS, CommandModule, module_name


def parser_of(command: str) -> CommandParser:
    """The parser of one command."""
    return cast(CommandModule, importlib.import_module(module_name(command))).parser()


def whole_parser() -> argparse.ArgumentParser:
    """One parser with every command as a subcommand, as shtab wants it."""
    whole = argparse.ArgumentParser("caffe-compat", description="Caffe models on PyTorch.")
    whole.add_argument("--version", action="store_true", help="print the version")
    commands = whole.add_subparsers(metavar="COMMAND")
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=command.summary, parents=[parser_of(name)], add_help=False)
    return whole

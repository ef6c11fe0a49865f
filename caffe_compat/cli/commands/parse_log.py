"""Turn a training log, ours or Caffe's, into two tables: LOG.train and LOG.test."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from caffe_compat.cli.flags import add_quiet
from caffe_compat.cli.outputs import claim_folder
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.logs.parsing.csv_files import write_tables
from caffe_compat.logs.parsing.reader import read_log


def one_character(text: str) -> str:
    """Returns a delimiter unchanged; ArgumentTypeError where it is not one character."""
    if len(text) != 1:
        raise argparse.ArgumentTypeError(f"expected one character, found '{text}'")
    return text


def parser() -> CommandParser:
    """Caffe's command line."""
    result = command_parser("parse-log", __doc__ or "", "caffe-compat parse-log caffe.log tables")
    result.add_argument("logfile_path", type=Path, help="the log of a training run")
    result.add_argument("output_dir", type=Path, help="the folder to write to; made if needed")
    result.add_argument("--verbose", action="store_true", help="say what was written")
    result.add_argument("--delimiter", type=one_character, default=",", help="between columns (default: '%(default)s')")
    add_quiet(result)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Reads the log, writes the tables."""
    claim_folder(arguments.output_dir)
    log = read_log(arguments.logfile_path)
    written = write_tables(log, arguments.output_dir, arguments.logfile_path.name, arguments.delimiter)
    if arguments.verbose:
        print(*(f"Wrote {path}" for path in written), sep="\n")
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

"""Write a label LMDB from a label file and an image list, as the released SRN code does."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from caffe_compat.cli.flags import add_quiet
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.srn.datasets.databases import write_label_database


def parser() -> CommandParser:
    """The command line."""
    result = command_parser(
        "create-label-lmdb",
        __doc__ or "",
        "caffe-compat create-label-lmdb train_labels.txt train_imglist.txt train_label_lmdb",
    )
    result.add_argument("labels", type=Path, help="one image a line: 0 or 1 for each label")
    result.add_argument("list", type=Path, help="the image list: 'name tags' a line, whose names become keys")
    result.add_argument("out", type=Path, help="the LMDB to make")
    add_quiet(result)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Writes the database and prints how many records it has."""
    written = write_label_database(arguments.labels, arguments.list, arguments.out)
    print(f"Total # of item in label lmdb: {written}")
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

"""Print a net's layers as a table: shapes, parameters, multiply-adds, memory, what each layer sees, and the totals."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from caffe_compat.cli.commands.convert import add_input_shape
from caffe_compat.cli.flags import add_quiet
from caffe_compat.cli.outputs import claim_files, write_json
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.terminal.table import print_table
from caffe_compat.view.nets import read_shown_net
from caffe_compat.view.summary import COLUMNS, NUMBERS, summary_json, summary_rows, totals_line

EXAMPLE = "caffe-compat summary net.prototxt --phase TEST --json net.json"


def parser() -> CommandParser:
    """The command line."""
    result = command_parser("summary", __doc__ or "", EXAMPLE)
    add = result.add_argument
    add("net", type=Path, metavar="NET", help="a prototxt, a weights file, or a folder of training steps")
    add("--phase", choices=("TRAIN", "TEST"), help="show one phase only (default: every phase that the net names)")
    add_input_shape(result)
    add("--json", type=Path, help="write the same as JSON")
    add_quiet(result)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Prints a table for each phase."""
    claim_files([arguments.json])
    net = read_shown_net(arguments.net, given=dict(arguments.input_shape))
    variants = [one for one in net.variants if not arguments.phase or one.label.endswith(arguments.phase)]
    for variant in variants:
        print(f"{net.title}: {variant.label}")
        print_table(COLUMNS, summary_rows(variant.facts), NUMBERS)
        print(totals_line(variant.facts))
    if arguments.json:
        write_json(arguments.json, summary_json(variants))
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

"""Evaluate raw scores of one or several models as the released SRN code does, and as later papers do."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from caffe_compat.cli.endings import DONE
from caffe_compat.cli.parser import CommandParser, command_parser
from caffe_compat.cli.program import run_program
from caffe_compat.cli.table import program_name
from caffe_compat.srn.metrics.datasets import DATASETS
from caffe_compat.srn.metrics.outputs import WRITERS, make_folders, write_outputs
from caffe_compat.srn.metrics.report import Request, evaluate
from caffe_compat.srn.metrics.tables import terminal_lines


def count_of_rounds(text: str) -> int:
    """None or some."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a number of rounds from 0 on, found '{text}'")
    return int(text)


def parser() -> CommandParser:
    """The command line."""
    result = command_parser("evaluate", __doc__ or "")
    result.add_argument("--dataset", required=True, choices=DATASETS, help="whose rules to follow")
    result.add_argument("--labels", required=True, type=Path, help="one image a line: 1, 0 or -1 a class")
    result.add_argument(
        "--predictions", required=True, type=Path, nargs="+", action="extend",
        help="raw scores in the labels' order; several files are compared with the first",
    )  # fmt: skip
    result.add_argument("--names", nargs="+", default=(), help="what to call the files of predictions")
    result.add_argument("--class-names", type=Path, help="one name a line")
    result.add_argument("--accessible", type=Path, help="images to evaluate: nus_test_accessible.mat, or text")
    result.add_argument(
        "--bootstrap", type=count_of_rounds, default=0, metavar="ROUNDS", help="for 95 %% confidence intervals"
    )
    result.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    result.add_argument("--json", type=Path, help="all figures, in 0..1")
    result.add_argument("--csv", type=Path, help="a table with one line a class")
    result.add_argument("--latex", type=Path, help="the paper's table")
    result.add_argument("--png", type=Path, help="AP by class; of several files the paper's Figure 7")
    return result


def request(arguments: argparse.Namespace) -> Request:
    """What the command line asks for."""
    return Request(
        dataset=arguments.dataset,
        labels=arguments.labels,
        predictions=arguments.predictions,
        names=arguments.names,
        class_names=arguments.class_names,
        accessible=arguments.accessible,
        rounds=arguments.bootstrap,
        seed=arguments.seed,
    )


def run(arguments: argparse.Namespace) -> int:
    """Measures, writes the files asked for, prints the tables."""
    paths = {name: getattr(arguments, name) for name in WRITERS}
    make_folders(paths)
    report = evaluate(request(arguments))
    write_outputs(report, paths)
    for warning in report.warnings:
        print(f"{program_name('evaluate')}: warning: {warning}", file=sys.stderr)
    for note in report.notes:
        print(f"{program_name('evaluate')}: note: {note}", file=sys.stderr)
    print(*terminal_lines(report), sep="\n")
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

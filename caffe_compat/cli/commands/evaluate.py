"""Evaluate the scores of one or several models as the released SRN code does, and as later papers do."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from caffe_compat.cli.flags import add_quiet, whole_number
from caffe_compat.cli.outputs import claim_files
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, program_name, run_program
from caffe_compat.srn.datasets.layout import SPLITS
from caffe_compat.srn.metrics.average_precision import AP_METHODS
from caffe_compat.srn.metrics.datasets import DATASETS, Conventions
from caffe_compat.srn.metrics.decisions import SCORE_KINDS
from caffe_compat.srn.metrics.outputs import WRITERS, write_outputs
from caffe_compat.srn.metrics.report import EVALUATED, Request, evaluate
from caffe_compat.srn.metrics.tables import terminal_lines


def probability(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a probability from 0 to 1, found '{text}'")
    return value


def parser() -> CommandParser:
    """The command line."""
    result = command_parser(
        "evaluate", __doc__ or "", "caffe-compat evaluate --dataset own --data birds --predictions scores.txt"
    )
    _add_inputs(result)
    _add_conventions(result)
    result.add_argument("--json", type=Path, help="all figures, in 0..1")
    result.add_argument("--csv", type=Path, help="a table with one line per class")
    result.add_argument("--latex", type=Path, help="the paper's table")
    result.add_argument("--png", type=Path, help="AP by class; of several files the paper's Figure 7")
    add_quiet(result)
    return result


def _add_inputs(result: CommandParser) -> None:
    result.add_argument(
        "--dataset", required=True, choices=DATASETS, help="the benchmark whose rules apply; own: your own data"
    )
    result.add_argument("--labels", type=Path, help="one image per line, one class per column: 1, 0 or -1")
    result.add_argument("--data", type=Path, help="a folder that prepare wrote: its labels, class names and counts")
    result.add_argument("--split", default="test", choices=SPLITS, help="the split of --data whose labels are used")
    result.add_argument(
        "--predictions", required=True, type=Path, nargs="+", action="extend",
        help="scores in the labels' order, as text or .npy; several files are compared with the first",
    )  # fmt: skip
    result.add_argument("--names", nargs="+", default=(), help="names for the files of predictions")
    result.add_argument("--class-names", type=Path, help="one name per line (default: from prepare's summary)")
    result.add_argument("--title", help="name for the data (default: the benchmark, or the folder of the labels)")
    result.add_argument("--accessible", type=Path, help="images to evaluate: nus_test_accessible.mat, or text")


def _add_conventions(result: CommandParser) -> None:
    result.add_argument("--scores", choices=SCORE_KINDS, default=EVALUATED.scores,
                        help="the kind of predictions; auto: probabilities if all lie within 0..1")  # fmt: skip
    result.add_argument("--threshold", type=probability, default=EVALUATED.threshold,
                        help="the probability above which a label is given")  # fmt: skip
    result.add_argument("--ap", choices=AP_METHODS, default=EVALUATED.ap,
                        help="how AP is computed: as the released code, VOC 2007 or scikit-learn")  # fmt: skip
    result.add_argument("--ignore", type=float, metavar="VALUE", help="the label value that means unknown")
    result.add_argument("--bootstrap", type=whole_number(0, "number of rounds"), default=0, metavar="ROUNDS",
                        help="for 95 %% confidence intervals")  # fmt: skip
    result.add_argument("--seed", type=whole_number(0), default=0, help="of the bootstrap")


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
        data=arguments.data,
        split=arguments.split,
        title=arguments.title,
        ignore=arguments.ignore,
        conventions=Conventions(arguments.scores, arguments.threshold, arguments.ap),
    )


def run(arguments: argparse.Namespace) -> int:
    """Measures, writes the files asked for, prints the tables."""
    paths = {name: getattr(arguments, name) for name in WRITERS}
    claim_files(paths.values())
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

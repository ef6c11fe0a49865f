"""Make a table: train every row from generated files, measure it, and write Markdown, LaTeX and JSON.

controls  does spatial regularization itself do the work? SRN, its controls and its baselines (docs/mechanism.md)
dose      the same over backbones that see more and more of the picture
samples   the whole picture in view, with fewer and more training scenes

A run that was interrupted goes on where it was.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from caffe_compat.cli.flags import add_quiet, whole_number
from caffe_compat.cli.outputs import claim_folder
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.experiments.mechanism.trials import TABLES
from caffe_compat.experiments.reproduce import reproduce


def parser() -> CommandParser:
    """The command line."""
    result = command_parser("reproduce", __doc__ or "", "caffe-compat reproduce --table controls --seeds 3")
    result.add_argument("--table", choices=sorted(TABLES), required=True, help="which table to make")
    result.add_argument("--seeds", type=whole_number(1), default=3, metavar="N", help="how many seeds, from 0 on")
    result.add_argument("--out", type=Path, default=Path("out/reproduce"), help="folder for the table and all its runs")
    add_quiet(result, "print the table, but no progress")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Runs what is missing, writes the table, prints it."""
    claim_folder(arguments.out)
    started = time.monotonic()

    def tell(line: str) -> None:
        if not arguments.quiet:
            print(f"[{time.monotonic() - started:5.0f} s] {line}", flush=True)

    shown = reproduce(arguments.table, arguments.seeds, arguments.out, tell)
    print(shown)
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv, interrupted="interrupted; run it again to go on")

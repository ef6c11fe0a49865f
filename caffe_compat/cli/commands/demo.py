"""Generate, train, evaluate and check a small SRN and its baseline, and write a report, in minutes."""

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

from caffe_compat.cli.flags import add_quiet, whole_number
from caffe_compat.cli.outputs import claim_folder
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.experiments.demo.demo import DemoRequest, run_demo
from caffe_compat.experiments.demo.recipe import FULL, TINY
from caffe_compat.terminal.progress import say

OUT = Path("out/demo")


def parser() -> CommandParser:
    """The command line."""
    result = command_parser("demo", __doc__ or "", "caffe-compat demo --seeds 3 --control")
    result.add_argument("--out", type=Path, default=OUT, help="folder for the report (default: out/demo)")
    result.add_argument(
        "--seeds",
        type=whole_number(1),
        default=1,
        metavar="N",
        help="number of runs, each with other data and first weights (default: 1)",
    )
    result.add_argument("--control", action="store_true", help="train both on data without the position rule as well")
    result.add_argument("--tiny", action="store_true", help="seconds instead of minutes: shows that all stages work")
    add_quiet(result, "print where the report is, but no progress")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Runs the demo; every line of its output starts with the seconds since the start."""
    claim_folder(arguments.out)
    started = time.monotonic()
    request = DemoRequest(
        Path(os.path.realpath(arguments.out)), TINY if arguments.tiny else FULL, arguments.seeds, arguments.control
    )

    def tell(line: str) -> None:
        if not arguments.quiet:
            say(f"[{time.monotonic() - started:4.0f} s] {line}")

    run_demo(request, tell)
    if arguments.quiet:
        print(f"wrote {request.out / 'report.html'}")
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv, interrupted="interrupted; run it again to go on")

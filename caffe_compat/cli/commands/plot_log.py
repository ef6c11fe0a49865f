"""Draw a curve of one or several training logs, ours or Caffe's."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from caffe_compat.cli.flags import add_quiet, whole_number
from caffe_compat.cli.outputs import claim_files
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.logs.parsing.charts import CHARTS, write_chart
from caffe_compat.logs.parsing.follow import follow_logs
from caffe_compat.logs.parsing.reader import read_log
from caffe_compat.proto.file_bytes import replacing


def parser() -> CommandParser:
    """Caffe's command line."""
    charts = "\n".join(f"  {number}: {quantity} vs. {axis}" for number, (quantity, axis) in enumerate(CHARTS))
    result = command_parser("plot-log", f"{__doc__}\n\nchart types:\n{charts}",
                            "caffe-compat plot-log 6 loss.png caffe.log")  # fmt: skip
    result.add_argument("chart_type", type=int, choices=range(len(CHARTS)), help="see below")
    result.add_argument("png", type=Path, help="where to save the picture")
    result.add_argument("logs", type=Path, nargs="+", help="logs of training runs")
    result.add_argument("--follow", type=whole_number(1, "number of seconds"), metavar="SECONDS",
                        help="draw again when the logs have grown; looks this often, until training ends")  # fmt: skip
    add_quiet(result)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Reads the logs, draws one picture; with --follow again and again."""
    claim_files([arguments.png])
    if arguments.follow is None:
        draw(arguments)
    else:
        follow_logs(arguments.logs, lambda: draw(arguments), arguments.follow, lambda line: print(line, flush=True))
    return DONE


def draw(arguments: argparse.Namespace) -> None:
    """Reads the logs, draws one picture, which replaces the last one when it is whole."""
    logs = [(path.stem, read_log(path)) for path in arguments.logs]
    with replacing(arguments.png) as beside:
        write_chart(arguments.chart_type, logs, beside)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

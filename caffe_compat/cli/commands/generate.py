"""Write a model's nets and solvers as files that Caffe reads: every net and solver of the paper."""

import argparse
from collections.abc import Sequence

from caffe_compat.cli.flags import add_quiet
from caffe_compat.cli.outputs import claim_folder
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from prototxt_gen.__main__ import EPILOG, add_arguments, generate_files


def parser() -> CommandParser:
    """The flags of `python -m prototxt_gen`."""
    result = command_parser(
        "generate",
        f"{__doc__}\n{EPILOG}",
        "caffe-compat generate --model resnet101_srn --dataset coco --out models/coco_srn",
    )
    add_arguments(result)
    add_quiet(result)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Writes the files, or counts parameters."""
    if not arguments.count:
        claim_folder(arguments.out)
    generate_files(arguments)
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

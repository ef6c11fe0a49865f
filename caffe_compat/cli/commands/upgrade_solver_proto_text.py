"""`upgrade_solver_proto_text`: a solver's prototxt of any age in today's format."""

from collections.abc import Sequence
from functools import partial

from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import run_program
from caffe_compat.cli.upgrade_file import UpgradeKind, run_upgrade, upgrade_parser
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_text
from caffe_compat.proto.upgrade import upgrade_solver
from caffe_compat.proto.write import write_text

KIND = UpgradeKind(
    "text",
    "SolverParameter",
    lambda path: read_text(path, caffe_pb2.SolverParameter),
    upgrade_solver,
    write_text,
)


def parser() -> CommandParser:
    """Caffe's command line."""
    return upgrade_parser("upgrade_solver_proto_text", "a solver's prototxt")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), partial(run_upgrade, KIND), argv)

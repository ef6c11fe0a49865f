"""`upgrade_net_proto_binary`: a .caffemodel of any age in today's format, in its own dialect."""

from collections.abc import Sequence
from functools import partial

from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import run_program
from caffe_compat.cli.upgrade_file import UpgradeKind, run_upgrade, upgrade_parser
from caffe_compat.proto.read import Weights, read_weights
from caffe_compat.proto.write import write_weights


def _write(path: str, weights: Weights) -> None:
    write_weights(path, weights.net, {layer.name: layer.blobs for layer in weights.layers}, weights.dialect)


KIND = UpgradeKind("binary", "NetParameter", read_weights, lambda weights, path: weights.upgrades, _write)


def parser() -> CommandParser:
    """Caffe's command line."""
    return upgrade_parser("upgrade_net_proto_binary", "a .caffemodel")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), partial(run_upgrade, KIND), argv)

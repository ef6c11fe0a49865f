"""`upgrade_net_proto_binary`: a .caffemodel of any age in today's format, in its own dialect."""

from collections.abc import Sequence

from caffe_compat.cli.flags import Flag, Flags
from caffe_compat.cli.upgrade_file import UpgradeKind, upgrade_file
from caffe_compat.proto.read import Weights, read_weights
from caffe_compat.proto.write import write_weights

USAGE = "upgrade_net_proto_binary v0_net_proto_file_in net_proto_file_out"
FLAGS: Sequence[Flag] = ()


def _write(path: str, weights: Weights) -> None:
    write_weights(path, weights.net, {layer.name: layer.blobs for layer in weights.layers}, weights.dialect)


KIND = UpgradeKind("binary", "NetParameter", read_weights, lambda weights, path: weights.upgrades, _write)


def run(flags: Flags, arguments: Sequence[str]) -> int:
    """0; 1 where fields could not be carried over; 2 where the file cannot be read."""
    return upgrade_file(KIND, USAGE, arguments)

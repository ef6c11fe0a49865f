"""`upgrade_net_proto_text`: a net's prototxt of any age in today's format."""

from collections.abc import Sequence

from caffe_compat.cli.flags import Flag, Flags
from caffe_compat.cli.upgrade_file import UpgradeKind, upgrade_file
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_text
from caffe_compat.proto.upgrade import upgrade_net
from caffe_compat.proto.write import write_text

USAGE = "upgrade_net_proto_text v0_net_proto_file_in net_proto_file_out"
FLAGS: Sequence[Flag] = ()

KIND = UpgradeKind(
    "text",
    "NetParameter",
    lambda path: read_text(path, caffe_pb2.NetParameter),
    upgrade_net,
    write_text,
)


def run(flags: Flags, arguments: Sequence[str]) -> int:
    """0; 1 where fields could not be carried over; 2 where the file cannot be read."""
    return upgrade_file(KIND, USAGE, arguments)

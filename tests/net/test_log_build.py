"""The lines that Caffe logs while it builds a net, compared with a real Caffe's log."""

import logging
import re
from pathlib import Path

import pytest

from caffe_compat.net.build import build_net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.text import parse_text

LOG = Path(__file__).resolve().parents[1] / "goldens" / "bvlc" / "logs" / "caffe_train.log"
PREFIX = re.compile(r"^I\d+ [\d:.]+ +\d+ (\S+):\d+\] ")


def recorded() -> tuple[str, list[str]]:
    """The first net that Caffe built in the log: its text, and the lines of net.cpp about it."""
    lines = LOG.read_text().splitlines()
    start = next(index for index, line in enumerate(lines) if "Initializing net from parameters" in line)
    end = next(index for index, line in enumerate(lines) if "Network initialization done" in line)
    text = [line for line in lines[start + 1 : end] if not PREFIX.match(line)]
    said = [PREFIX.sub("", line) for line in lines[start + 1 : end + 1] if " net.cpp:" in line]
    return "\n".join(text), said


def test_lines_are_caffes(caplog: pytest.LogCaptureFixture) -> None:
    text, said = recorded()
    net = parse_text(text, caffe_pb2.NetParameter)
    data = net.layer[0]  # its HDF5 file is not there: the same blobs from DummyData
    data.type = "DummyData"
    data.ClearField("hdf5_data_param")
    for shape in ([8, 3, 9, 9], [8, 4]):
        data.dummy_data_param.shape.add(dim=shape)
    with caplog.at_level(logging.INFO, "caffe_compat"):
        build_net(net, net.state)
    mine = [record.getMessage() for record in caplog.records]
    assert mine[0].startswith("Initializing net from parameters: \nname:")
    # A loss has no axes: Caffe prints its shape as nothing and the count.
    assert [line.replace("  ", " ").strip() for line in mine[1:]] == [line.replace("  ", " ").strip() for line in said]

"""Weights are written also for nets that no Caffe can say in full: a data field must not cost a snapshot."""

import logging
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import DialectError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects import bvlc_pb2
from caffe_compat.proto.read import read_weights
from caffe_compat.proto.text import parse_text
from caffe_compat.proto.write import write_weights

#: BVLC's BatchNorm with the fork's augmentation and shuffling: what trains the paper's net on the public ResNet.
NET = """
name: "mixed"
layer { name: "data" type: "Data" top: "data" data_param { source: "db" batch_size: 3 shuffle: true }
  transform_param { crop_size: 7 multi_scale: true fix_crop: true scale_ratios: [1, 0.5] } }
layer { name: "norm" type: "BatchNorm" bottom: "data" top: "norm" batch_norm_param { eps: 0.02 } }
"""


def test_what_no_caffe_can_say_is_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    net = parse_text(NET, caffe_pb2.NetParameter)
    blobs = [np.arange(size, dtype=np.float32) for size in (3, 3, 1)]
    file = tmp_path / "w.caffemodel"
    with caplog.at_level(logging.WARNING, "caffe_compat"):
        write_weights(file, net, {"norm": blobs})
    (told,) = (record.getMessage() for record in caplog.records)
    assert told.startswith("no Caffe can say all of net 'mixed': written for bvlc, which lacks layer 'data' (Data): ")
    assert "TransformationParameter.multi_scale" in told
    assert "DataParameter.shuffle" in told
    weights = read_weights(file)
    assert weights.dialect == "bvlc"
    (norm,) = (layer for layer in weights.layers if layer.name == "norm")
    for written, read in zip(blobs, norm.blobs, strict=True):
        np.testing.assert_array_equal(read, written)
    assert weights.net.layer[0].transform_param.crop_size == 7
    assert weights.net.layer[0].transform_param.multi_scale  # which BVLC Caffe skips, as its protobuf does
    assert weights.net.layer[1].batch_norm_param.eps == np.float32(0.02)


def test_a_dialect_that_is_asked_for_must_say_all(tmp_path: Path) -> None:
    net = parse_text(NET, caffe_pb2.NetParameter)
    with pytest.raises(
        DialectError, match=r"^layer 'data' \(Data\): the bvlc dialect has no \w+Parameter.\w+; leave the"
    ):
        write_weights(tmp_path / "w.caffemodel", net, {}, "bvlc")
    assert not list(tmp_path.iterdir())


def test_a_layer_of_a_third_caffe_keeps_its_fields(tmp_path: Path) -> None:
    net = parse_text('layer { name: "up" type: "Upsample" bottom: "a" top: "b" upsample_param { scale: 3 } }',
                     caffe_pb2.NetParameter)  # fmt: skip
    write_weights(tmp_path / "w.caffemodel", net, {})
    assert read_weights(tmp_path / "w.caffemodel").net.layer[0].upsample_param.scale == 3
    theirs = bvlc_pb2.NetParameter.FromString((tmp_path / "w.caffemodel").read_bytes())
    assert [layer.name for layer in theirs.layer] == ["up"]

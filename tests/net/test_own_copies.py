"""A file's blobs become a net's own, copied while it is built."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_compat.errors import FormatError, GraphError
from caffe_compat.net.build import load_net
from caffe_compat.net.own_copies import ALIGNMENT, blobs_to_keep, copied_beside
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.file_bytes import MappedFile
from caffe_compat.proto.read import LayerBlobs
from caffe_compat.proto.text import parse_text
from caffe_compat.proto.write import write_weights

RANDOM = np.random.default_rng(7)


def array(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def test_copies_are_equal_writable_and_apart(tmp_path: Path) -> None:
    values = array(57)
    (tmp_path / "file").write_bytes(b"\0" + values.tobytes())
    mapped = np.frombuffer(MappedFile(tmp_path / "file"), np.float32, values.size, 1)
    blobs = {"a": [mapped[:15].reshape(3, 5), array(7)], "b": [], "c": [mapped[15:57].reshape(6, 7).T], "d": [array(0)]}
    blobs["e"] = blobs["a"]
    with copied_beside(blobs) as copies:
        assert {name: [copy.shape for copy in arrays] for name, arrays in copies.items()} == {
            name: [blob.shape for blob in arrays] for name, arrays in blobs.items()
        }
    for name, arrays in blobs.items():
        for blob, copy in zip(arrays, copies[name], strict=True):
            np.testing.assert_array_equal(copy, blob)
            copy += 1  # reaches no other copy
            assert not np.shares_memory(copy, blob)
    first = copies["a"][0].ctypes.data
    assert all((copy.ctypes.data - first) % (4 * ALIGNMENT) == 0 for arrays in copies.values() for copy in arrays)


def test_nothing_to_copy() -> None:
    with copied_beside({}) as copies:
        pass
    assert copies == {}


def test_a_file_that_is_cut_off_meanwhile_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(array(1000).tobytes())
    blobs = {"a": [np.frombuffer(MappedFile(path), np.float32)]}
    os.truncate(path, 40)
    with pytest.raises(FormatError, match=rf"^{path}: ends at byte 40 now"), copied_beside(blobs):
        pass


def test_an_error_in_the_block_comes_through() -> None:
    with pytest.raises(GraphError, match=r"^in the block$"), copied_beside({"a": [array(3)]}):
        raise GraphError("in the block")


NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 5 } } }
layer { name: "plain" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 3 } }
layer { name: "shares" type: "InnerProduct" bottom: "x" top: "b" param { name: "w" }
  inner_product_param { num_output: 4 } }
layer { name: "twice" type: "InnerProduct" bottom: "x" top: "c" inner_product_param { num_output: 6 } }
layer { name: "twice" type: "InnerProduct" bottom: "x" top: "d" inner_product_param { num_output: 6 } }
"""


def test_only_what_belongs_to_one_layer_is_kept() -> None:
    names = ["plain", "shares", "twice", "of another net"]
    sources = [LayerBlobs(name, "InnerProduct", [array(4, 5)]) for name in names]
    net = parse_text(NET, caffe_pb2.NetParameter, "net.prototxt")

    assert list(blobs_to_keep(net, sources)) == ["plain"]
    assert not blobs_to_keep(net, [*sources, sources[0]])  # the file names it twice: the later one counts


def test_a_loaded_nets_weights_are_the_only_copy(tmp_path: Path) -> None:
    layers = NET.split("\n", 5)[1:4]
    prototxt, weights = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    prototxt.write_text(layers[0] + layers[1] + layers[1].replace('"plain"', '"other"').replace('"a"', '"e"'))
    numbers = [array(1, 1, 3, 5), array(1, 1, 1, 3)]  # as old files have them
    write_weights(
        str(weights), parse_text(layers[0] + layers[1], caffe_pb2.NetParameter, "net"), {"plain": numbers}, "bvlc"
    )
    net = load_net(str(prototxt), "TRAIN", weights=str(weights))
    plain, other = (net.step_of(name).layer for name in ("plain", "other"))

    assert [tuple(blob.shape) for blob in plain.blobs] == [(3, 5), (3,)]
    for blob, expected in zip(plain.blobs, numbers, strict=True):
        np.testing.assert_array_equal(blob.detach(), expected.reshape(blob.shape))
        assert blob.requires_grad
    # Weight and bias lie behind each other in one block, where the copies were made.
    assert plain.blobs[1].data_ptr() - plain.blobs[0].data_ptr() == 4 * ALIGNMENT
    assert all(step.layer.spec.make_blob is None for step in net.steps)
    assert not torch.any(other.blobs[0])

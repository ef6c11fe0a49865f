"""Weights go in by layer name, are shared by the names of parameters, and are copied while layers are built."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_compat.errors import FormatError, GraphError, ShapeError
from caffe_compat.net.build import load_net
from caffe_compat.net.net import Net
from caffe_compat.net.weights import ALIGNMENT, blobs_to_keep, copied_beside
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.file_bytes import MappedFile
from caffe_compat.proto.read import LayerBlobs
from caffe_compat.proto.text import parse_text
from caffe_compat.proto.write import write_weights
from tests.engine.nets import build


def net(params: str = "") -> Net:
    return build(
        f"""layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 5 }} }} }}
        layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "y" {params}
          inner_product_param {{ num_output: 3 weight_filler {{ type: "xavier" }} }} }}"""
    )


WEIGHT = np.arange(15, dtype=np.float32).reshape(3, 5)
BIAS = np.arange(3, dtype=np.float32)


def source(*blobs: np.ndarray, name: str = "ip") -> list[LayerBlobs]:
    return [LayerBlobs(name, "InnerProduct", list(blobs))]


def test_copies_from_read_only_views() -> None:
    target = net()
    frozen = WEIGHT.copy()
    frozen.flags.writeable = False
    target.copy_layers(source(frozen, BIAS), "w")
    np.testing.assert_array_equal(target.params["ip"][0].data, WEIGHT)
    target.params["ip"][0].data[...] = 0
    assert frozen.any()


def test_old_files_of_four_axes() -> None:
    target = net()
    target.copy_layers(source(WEIGHT.reshape(1, 1, 3, 5), BIAS.reshape(1, 1, 1, 3)), "w")
    np.testing.assert_array_equal(target.params["ip"][1].data, BIAS)


def test_unknown_layers_are_ignored_and_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "caffe_compat"):
        assert net().copy_layers(source(WEIGHT, BIAS, name="other"), "w") == ["other"]
    assert "Ignoring source layer other" in caplog.text


def test_another_number_of_blobs() -> None:
    with pytest.raises(
        ShapeError, match=r"^w: incompatible number of blobs for layer 'ip' .*expected 2, got 1.*rename it"
    ):
        net().copy_layers(source(WEIGHT), "w")


def test_another_shape() -> None:
    message = (
        r"^w: Cannot copy param 0 weights from layer 'ip'; shape mismatch.  Source param shape is 5 3 \(15\); "
        r"target param shape is 3 5 \(15\). To learn this layer's parameters from scratch .* rename the layer."
    )
    with pytest.raises(ShapeError, match=message):
        net().copy_layers(source(WEIGHT.T.copy(), BIAS), "w")


def test_blobs_that_another_layer_owns_may_be_missing_in_hdf5() -> None:
    target = net('param { name: "w" } param { name: "b" }')
    before = target.params["ip"][1].data.copy()
    target.copy_layers(source(WEIGHT), "w.h5")
    np.testing.assert_array_equal(target.params["ip"][0].data, WEIGHT)
    np.testing.assert_array_equal(target.params["ip"][1].data, before)
    target.copy_layers(source(np.zeros(0, np.float32), BIAS), "w.h5")
    np.testing.assert_array_equal(target.params["ip"][0].data, WEIGHT)
    np.testing.assert_array_equal(target.params["ip"][1].data, BIAS)


@pytest.mark.parametrize(("layers", "found"), [(source(WEIGHT, BIAS, name="fc8"), "'fc8'"), ([], "none")])
def test_a_file_of_another_net_is_told(layers: list[LayerBlobs], found: str, caplog: pytest.LogCaptureFixture) -> None:
    net().copy_layers(layers, "other.caffemodel")
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        f"other.caffemodel: no weight was copied: expected those of layers such as 'ip', found {found}; "
        "give the weights of this net, or name its layers as the file does"
    ]


def test_a_file_that_has_some_of_the_layers_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    net().copy_layers([*source(WEIGHT, BIAS), *source(BIAS, name="fc8")], "w")
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]


PAIR = """
layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 6 }} }} }}
layer {{ name: "a" type: "InnerProduct" bottom: "x" top: "a" param {{ name: "w" {first} }}
  inner_product_param {{ num_output: {width} bias_term: false weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "b" type: "InnerProduct" bottom: "a" top: "b" param {{ name: "w" {second} }}
  inner_product_param {{ num_output: {outputs} bias_term: false weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "sum" type: "Reduction" bottom: "b" top: "sum" loss_weight: 1 }}
"""


def pair(first: str = "", second: str = "", width: int = 6, outputs: int = 6) -> Net:
    return build(PAIR.format(first=first, second=second, width=width, outputs=outputs))


def test_strict_sharers_are_one_parameter_with_the_sum_of_gradients() -> None:
    net = pair()
    assert net.step_of("a").layer.blobs[0] is net.step_of("b").layer.blobs[0]
    assert [learnable.label for learnable in net.learnable] == ["a/0"]
    weight = net.params["a"][0].data.astype(np.float64)
    x = net.blobs["x"].data.astype(np.float64)
    net.forward_range(0, len(net.steps) - 1)
    net.backward_range(len(net.steps) - 1, 0)
    ones = np.ones((2, 6))
    expected = ones.T @ (x @ weight.T) + (ones @ weight).T @ x
    np.testing.assert_allclose(net.params["b"][0].diff, expected, rtol=1e-4, atol=1e-5)
    assert net.params["b"][0].diff is not None
    np.testing.assert_array_equal(net.params["a"][0].diff, net.params["b"][0].diff)


def test_permissive_sharers_of_one_count_share_memory_and_gradients() -> None:
    permissive = "share_mode: PERMISSIVE"
    net = pair(permissive, permissive, width=2, outputs=6)  # (2, 6) and (6, 2)
    first, second = net.params["a"][0], net.params["b"][0]
    first.data[...] = np.arange(12).reshape(2, 6)
    np.testing.assert_array_equal(second.data, np.arange(12).reshape(6, 2))
    net.forward_range(0, len(net.steps) - 1)
    net.backward_range(len(net.steps) - 1, 0)
    np.testing.assert_array_equal(first.diff.ravel(), second.diff.ravel())
    assert len(net.learnable) == 1


def test_shapes_must_agree_by_default() -> None:
    with pytest.raises(
        ShapeError, match=r"^layer 'b' \(InnerProduct\): cannot share param 'w' owned by a/0: shape mismatch"
    ):
        pair(width=2)


def test_counts_must_agree_always() -> None:
    with pytest.raises(ShapeError, match=r"cannot share param 'w' owned by a/0: count mismatch"):
        pair("", "share_mode: PERMISSIVE", width=2, outputs=5)


def test_a_multiplier_of_any_sharer_counts_and_two_must_agree() -> None:
    net = pair(second="lr_mult: 3 decay_mult: 5")
    assert (net.learnable[0].lr_mult, net.learnable[0].decay_mult) == (3, 5)
    with pytest.raises(
        GraphError, match=r"^layer 'b' \(InnerProduct\): shared param 'w' has mismatched lr_mult: 2.0 at a/0, 3.0"
    ):
        pair("lr_mult: 2", "lr_mult: 3")


def test_more_params_than_blobs() -> None:
    with pytest.raises(GraphError, match=r"^layer 'b' \(InnerProduct\): too many params specified: expected at most 1"):
        pair(second="} param { lr_mult: 1")


def test_views_stay_tied_after_a_move() -> None:
    permissive = "share_mode: PERMISSIVE"
    net = pair(permissive, permissive, width=2, outputs=6)
    net.double()
    net.learnable[0].tie_views()
    with torch.no_grad():
        net.learnable[0].parameter.fill_(4)
    assert (net.step_of("b").layer.blobs[0] == 4).all()


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

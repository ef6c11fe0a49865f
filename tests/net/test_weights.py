"""Weights go in by layer name; a mismatch is told in Caffe's words."""

import logging

import numpy as np
import pytest

from caffe_compat.errors import ShapeError
from caffe_compat.net.net import Net
from caffe_compat.proto.read import LayerBlobs
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

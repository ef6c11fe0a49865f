"""Crop before BVLC: offsets are those that pycaffe's coord_map finds, and BVLC's own nets stay as they are."""

import logging

import pytest

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.text import parse_text
from caffe_compat.proto.upgrade import upgrade_net
from caffe_compat.pycaffe import coord_map
from caffe_compat.pycaffe.net_spec import NetSpec, Top, layers

Net = caffe_pb2.NetParameter

#: Sizes of windows on height and width, which differ, and the offsets that they come to.
FCN = """
name: "fcn"
layer {{ name: "data" type: "Input" top: "data" }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param {{ num_output: 2 {window} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
layer {{ name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param {{ kernel_size: 2 stride: 2 }} }}
layer {{ name: "up" type: "Deconvolution" bottom: "pool" top: "up"
  convolution_param {{ num_output: 2 kernel_size: 4 stride: 2 }} }}
layer {{ name: "crop" type: "Crop" bottom: "up" bottom: "data" top: "score" {crop} }}
"""


def crop_of(text: str) -> caffe_pb2.LayerParameter:
    net = parse_text(text, Net)
    upgrade_net(net)
    return next(layer for layer in net.layer if layer.type == "Crop")


@pytest.mark.parametrize(
    ("window", "offsets"),
    [
        ("kernel_size: 3 pad: 4", [4, 4]),
        ("kernel_h: 3 kernel_w: 5 pad_h: 4 pad_w: 6", [4, 5]),
        ("kernel_size: [3, 5] pad: [4, 6]", [4, 5]),
        ("kernel_size: 3 pad: 5 dilation: 2", [4, 4]),
    ],
)
def test_offsets_put_pixel_on_pixel(window: str, offsets: list[int], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        crop = crop_of(FCN.format(window=window, crop=""))
    assert (crop.crop_param.axis, list(crop.crop_param.offset)) == (2, offsets)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert f"'crop' at {offsets[0]}, {offsets[1]}. BVLC's Caffe cuts at 0: for that, write crop_param" in told[0]


def test_offsets_are_those_of_coord_map() -> None:
    spec = NetSpec()
    spec.data = layers.Input()
    spec.conv = layers.Convolution(spec.data, num_output=2, kernel_size=3, pad=4)
    spec.pool = layers.Pooling(spec.conv, kernel_size=2, stride=2)
    spec.up = layers.Deconvolution(spec.pool, convolution_param={"num_output": 2, "kernel_size": 4, "stride": 2})
    up, data = spec.up, spec.data
    assert isinstance(up, Top)
    assert isinstance(data, Top)
    spec.score = coord_map.crop(up, data)
    expected = list(spec.to_proto().layer[-1].crop_param.offset)
    found = list(crop_of(FCN.format(window="kernel_size: 3 pad: 4", crop="")).crop_param.offset)
    assert found == expected * (len(found) // len(expected))


@pytest.mark.parametrize("crop", ["crop_param { axis: 2 }", "crop_param { offset: 3 }", "crop_param { }"])
def test_a_crop_with_parameters_is_bvlcs(crop: str) -> None:
    net = parse_text(FCN.format(window="kernel_size: 3 pad: 4", crop=crop), Net)
    assert upgrade_net(net) == []


def test_an_upgraded_net_needs_nothing() -> None:
    net = parse_text(FCN.format(window="kernel_size: 3 pad: 4", crop=""), Net)
    assert upgrade_net(net)[-1] == "Successfully upgraded Crop layers without crop_param"
    assert upgrade_net(net) == []


@pytest.mark.parametrize(
    "window",
    [
        pytest.param("kernel_size: 3 pad: 0", id="the first bottom begins inside the second"),
        pytest.param("kernel_size: 4 pad: 4", id="half a pixel"),
        pytest.param("kernel_size: 3 pad: 4 stride: 2", id="other strides"),
        pytest.param("", id="no window"),
    ],
)
def test_what_no_offset_aligns_is_left_to_bvlcs_layer(window: str) -> None:
    assert not crop_of(FCN.format(window=window, crop="")).HasField("crop_param")


@pytest.mark.parametrize(
    "middle",
    [
        "layer { name: 'm' type: 'Reshape' bottom: 'a' top: 'm' }",
        "layer { name: 'm' type: 'Pooling' bottom: 'a' top: 'm' pooling_param { global_pooling: true } }",
        "layer { name: 'm' type: 'Input' top: 'm' }",
        "layer { name: 'm' type: 'ReLU' bottom: 'm' top: 'm' }",
    ],
)
def test_bottoms_that_are_not_connected_are_left_to_bvlcs_layer(middle: str) -> None:
    data, crop = (
        "layer { name: 'a' type: 'Input' top: 'a' }",
        "layer { name: 'c' type: 'Crop' bottom: 'm' bottom: 'a' top: 'c' }",
    )
    assert not crop_of(f"{data} {middle} {crop}").HasField("crop_param")


def test_old_crops_one_behind_the_other() -> None:
    """The second begins where the first has cut: nothing is left to cut."""
    text = FCN.format(window="kernel_size: 3 pad: 4", crop="") + (
        "layer { name: 'again' type: 'Crop' bottom: 'score' bottom: 'data' top: 'again' }"
    )
    net = parse_text(text, Net)
    upgrade_net(net)
    assert [list(layer.crop_param.offset) for layer in net.layer if layer.type == "Crop"] == [[4, 4], []]

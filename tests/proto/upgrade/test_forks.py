"""Words of other Caffes in BVLC's."""

import pytest

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.text import parse_text
from caffe_compat.proto.upgrade import upgrade_net


def net(fields: str) -> caffe_pb2.NetParameter:
    return parse_text(f"layer {{ name: 'x' type: 'T' {fields} }}", caffe_pb2.NetParameter)


@pytest.mark.parametrize(
    ("theirs", "bvlcs"),
    [
        ("convolution_param { hole: 12 pad: 3 }", "convolution_param { dilation: 12 pad: 3 }"),
        ("convolution_param { hole_h: 2 hole_w: 3 }", "convolution_param { dilation: 2 dilation: 3 }"),
        ("convolution_param { hole_w: 3 }", "convolution_param { dilation: 1 dilation: 3 }"),
        ("convolution_param { dilation_h: 2 dilation_w: 3 }", "convolution_param { dilation: 2 dilation: 3 }"),
        ("convolution_param { dilation_h: 4 }", "convolution_param { dilation: 4 dilation: 1 }"),
        ("pooling_param { ceil_mode: false stride: 2 }", "pooling_param { round_mode: FLOOR stride: 2 }"),
        ("pooling_param { ceil_mode: true }", "pooling_param { }"),
    ],
)
def test_become_bvlcs_fields(theirs: str, bvlcs: str) -> None:
    upgraded = net(theirs)
    log = upgrade_net(upgraded, "f.prototxt")
    assert upgraded == net(bvlcs)
    assert log[0].endswith("using fields of other Caffes (hole, ceil_mode): f.prototxt")
    assert upgrade_net(upgraded) == []


def test_old_layers_are_upgraded_first() -> None:
    old = parse_text("layers { type: CONVOLUTION convolution_param { hole: 4 } }", caffe_pb2.NetParameter)
    upgrade_net(old)
    assert list(old.layer[0].convolution_param.dilation) == [4]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            "convolution_param { hole: 2 dilation: 2 }",
            "or dilation_h and dilation_w, got hole, dilation",
        ),
        ("convolution_param { hole: 2 hole_h: 3 }", "got hole, hole_h"),
        ("convolution_param { dilation_h: 2 hole_w: 3 }", "got hole_w, dilation_h"),
        ("pooling_param { round_mode: CEIL ceil_mode: true }", "round_mode and ceil_mode, got both"),
    ],
)
def test_refuses_two_words_for_one_thing(fields: str, message: str) -> None:
    with pytest.raises(FormatError, match=rf"^layer 'x' \(T\): expected one of .*{message}"):
        upgrade_net(net(fields))


@pytest.mark.parametrize(
    ("other", "widths"),
    [
        ('layer { type: "MaskResize" mask_resize_param { factor_height: 0.5 } }', True),
        ('layer { type: "MaskResize" mask_resize_param { factor_width: 0.5 } }', True),
        ('layer { type: "DetectionOrientedOutput" }', True),
        ('layer { type: "MaskResize" mask_resize_param { output_height: 3 } }', False),
        ('layer { type: "MultiBoxLoss" }', False),
    ],
)
def test_a_prior_box_beside_words_of_sstd_makes_its_boxes(other: str, widths: bool) -> None:
    text = 'layer { type: "PriorBox" } layer { type: "PriorBox" prior_box_param { width_by_ratio: false } }'
    mixed = parse_text(text + other, caffe_pb2.NetParameter)
    log = upgrade_net(mixed)
    assert [layer.prior_box_param.width_by_ratio for layer in mixed.layer[:2]] == [widths, False]
    assert any("PriorBox layers of SSTD's Caffe: they say width_by_ratio now" in line for line in log) == widths
    assert upgrade_net(mixed) == []

"""Windows: reading kernel, stride and pad, and Caffe's output sizes."""

import pytest
import torch

from caffe_compat.errors import FieldError
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.layers.windows import (
    SpatialField,
    convolved_size,
    deconvolved_size,
    pooled_sizes,
    require_positive,
)
from tests.layers.harness import layer_parameter

START = r"^layer 'conv' \(Convolution\): "


def spec_of(fields: str) -> LayerSpec:
    return LayerSpec(layer_parameter(f"name: 'conv' type: 'Convolution' convolution_param {{ {fields} }}"))


def along(fields: str, name: str, axes: int, default: int | None = None) -> list[int]:
    spec = spec_of(fields)
    return SpatialField(spec, spec.params("convolution_param"), name, default).along(axes)


@pytest.mark.parametrize(
    ("fields", "name", "axes", "default", "expected"),
    [
        ("kernel_size: 3", "kernel_size", 3, None, [3, 3, 3]),
        ("kernel_size: 3 kernel_size: 5", "kernel_size", 2, None, [3, 5]),
        ("kernel_h: 3 kernel_w: 5", "kernel_size", 2, None, [3, 5]),
        ("", "stride", 2, 1, [1, 1]),
        ("stride_h: 2 stride_w: 3", "stride", 2, 1, [2, 3]),
        ("pad_w: 4", "pad", 2, 0, [0, 4]),
    ],
)
def test_one_number_an_axis(fields: str, name: str, axes: int, default: int | None, expected: list[int]) -> None:
    assert along(fields, name, axes, default) == expected


@pytest.mark.parametrize(
    ("fields", "name", "axes", "default", "message"),
    [
        ("", "kernel_size", 2, None, "expected kernel_size or kernel_h and kernel_w, got neither"),
        ("stride: 1 stride: 2", "stride", 3, 1, r"expected 1 or 3 values of stride \(one a spatial axis\), got 2"),
        ("kernel_h: 3", "kernel_size", 2, None, "expected kernel_size, or both .* got kernel_h for 2"),
        ("stride_w: 3", "stride", 2, 1, "expected stride, or both .* got stride_w for 2"),
        ("pad_h: 1 pad: 2", "pad", 2, 0, "expected pad, or both .* got pad_h, pad for 2"),
        ("pad_h: 1 pad_w: 2", "pad", 3, 0, "expected pad, or both .* got pad_h, pad_w for 3"),
    ],
)
def test_refuses_fields(fields: str, name: str, axes: int, default: int | None, message: str) -> None:
    with pytest.raises(FieldError, match=START + message):
        along(fields, name, axes, default)


def test_knows_whether_it_is_set() -> None:
    for fields, is_set in (("", False), ("kernel_h: 2", True), ("kernel_size: 2", True)):
        spec = spec_of(fields)
        assert SpatialField(spec, spec.params("convolution_param"), "kernel_size").is_set == is_set


def test_require_positive() -> None:
    require_positive(spec_of(""), "stride", [1, 2])
    with pytest.raises(FieldError, match=START + r"expected stride above 0, got \[1, 0\]"):
        require_positive(spec_of(""), "stride", (1, 0))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "dilation", "windows"),
    [
        (2, 3, 2, 0, 1, 1),
        (1, 3, 3, 0, 1, 1),
        (4, 3, 2, 0, 2, 1),
        (3, 6, 2, 1, 1, 1),
        (1, 3, 2, 0, 1, 0),
        (3, 9, 2, 0, 1, -2),
    ],
)
def test_convolved_sizes_are_rounded_toward_zero(
    size: int, kernel: int, stride: int, pad: int, dilation: int, windows: int
) -> None:
    assert convolved_size(size, kernel, stride, pad, dilation) == windows


def test_convolved_and_deconvolved_sizes_are_those_of_torch() -> None:
    for size, kernel, stride, pad, dilation in [(7, 3, 2, 1, 1), (9, 2, 3, 0, 4), (6, 1, 4, 2, 1)]:
        line, weight = torch.zeros(1, 1, size), torch.zeros(1, 1, kernel)
        forward = torch.nn.functional.conv1d(line, weight, None, stride, pad, dilation)
        assert convolved_size(size, kernel, stride, pad, dilation) == forward.shape[2]
        back = torch.nn.functional.conv_transpose1d(line, weight, None, stride, pad, 0, 1, dilation)
        assert deconvolved_size(size, kernel, stride, pad, dilation) == back.shape[2]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "up", "down"),
    [
        (6, 1, 4, 0, 3, 2),  # the last window starts behind the image, and stays
        (6, 3, 2, 0, 3, 2),
        (6, 2, 5, 1, 2, 2),
        (7, 2, 4, 1, 2, 2),  # one would start in the padding
        (5, 3, 2, 2, 4, 4),
        (6, 2, 3, 1, 3, 3),
        (112, 3, 2, 0, 56, 55),
    ],
)
def test_pooled_sizes(size: int, kernel: int, stride: int, pad: int, up: int, down: int) -> None:
    for round_up, expected in ((True, up), (False, down)):
        assert pooled_sizes([size], [kernel], [stride], [pad], round_up) == [expected]


def test_padding_one_axis_drops_windows_of_both() -> None:
    """pooling_layer.cpp clips height and width if either is padded."""
    assert pooled_sizes([6, 6], [2, 1], [4, 4], [0, 0]) == [2, 3]
    assert pooled_sizes([6, 6], [2, 1], [4, 4], [1, 0]) == [2, 2]

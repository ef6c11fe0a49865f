"""Convolution against plain loops, over any number of axes."""

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from caffe_compat.errors import FieldError, GraphError, ShapeError
from tests.layers.harness import Array, assert_close, assert_every_field_matters, build, check_layer, random_bottom, run
from tests.layers.vision.oracles import convolve

Pair = tuple[int, int]

FILLERS = "weight_filler { type: 'gaussian' std: 0.5 } bias_filler { type: 'uniform' min: -1 max: 2 }"


def convolution(fields: str) -> str:
    return f"name: 'conv1' type: 'Convolution' convolution_param {{ {fields} {FILLERS} }}"


def test_two_axes_with_everything_set() -> None:
    text = convolution(
        "num_output: 4 group: 2 kernel_h: 3 kernel_w: 2 stride: 2 stride: 3 pad_h: 1 pad_w: 2 dilation: 2 dilation: 1"
    )

    def oracle(blobs: list[Array], bottom: Array) -> Array:
        return convolve(bottom, blobs, (2, 3), 2, stride=(2, 3), pad=(1, 2), dilation=(2, 1))

    layer = check_layer(text, [random_bottom(2, 6, 6, 5)], oracle)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(4, 3, 3, 2), (4,)]


@pytest.mark.parametrize(("sizes", "top_sizes"), [((7,), (3,)), ((5, 4, 6), (2, 1, 2)), ((3, 4, 5, 3), (1, 1, 2, 1))])
def test_other_numbers_of_axes(sizes: tuple[int, ...], top_sizes: tuple[int, ...]) -> None:
    axes = len(sizes)
    text = convolution(
        "num_output: 3 kernel_size: 3 stride: 2 bias_term: true"
        if axes != 4
        else "num_output: 2 kernel_size: 3 stride: 2"
    )

    def oracle(blobs: list[Array], bottom: Array) -> Array:
        window = {"stride": (2,) * axes, "pad": (0,) * axes, "dilation": (1,) * axes}
        return convolve(bottom, blobs, top_sizes, 1, **window)

    check_layer(text, [random_bottom(2, 2, *sizes)], oracle, gradients=axes < 4)


def test_bottom_without_spatial_axes() -> None:
    text = convolution("num_output: 6 group: 3 bias_term: false")

    def oracle(blobs: list[Array], bottom: Array) -> Array:
        return convolve(bottom, blobs, (), 3, stride=(), pad=(), dilation=())

    layer = check_layer(text, [random_bottom(4, 3)], oracle)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(6, 1)]


def test_channels_on_a_later_axis() -> None:
    text = convolution("num_output: 2 kernel_size: 3 axis: -2")
    bottom = random_bottom(2, 3, 4, 6)

    def oracle(blobs: list[Array], bottom: Array) -> Array:
        rows = convolve(bottom.reshape(6, 4, 6), blobs, (4,), 1, stride=(1,), pad=(0,), dilation=(1,))
        return rows.reshape(2, 3, 2, 4)

    check_layer(text, [bottom], oracle)


def test_a_window_over_the_whole_input() -> None:
    text = convolution("num_output: 6 group: 3 kernel_h: 4 kernel_w: 5")

    def oracle(blobs: list[Array], bottom: Array) -> Array:
        return convolve(bottom, blobs, (1, 1), 3, stride=(1, 1), pad=(0, 0), dilation=(1, 1))

    check_layer(text, [random_bottom(2, 3, 4, 5)], oracle)


def test_a_window_over_the_whole_of_no_images() -> None:
    layer = build(convolution("num_output: 6 group: 3 kernel_h: 4 kernel_w: 5"), (2, 3, 4, 5))
    assert layer(torch.zeros(0, 3, 4, 5)).shape == (0, 6, 1, 1)


@pytest.mark.parametrize("axes", [1, 2, 3, 4])
def test_a_first_window_that_the_input_does_not_fill(axes: int) -> None:
    kernel, sizes, stride = (5, 2, 3, 2)[:axes], (3, 4, 2, 2)[:axes], (3, 2, 2, 1)[:axes]
    values = [" ".join(f"{name}: {n}" for n in each) for name, each in (("kernel_size", kernel), ("stride", stride))]

    def oracle(blobs: list[Array], bottom: Array) -> Array:
        window = {"stride": stride, "pad": (0,) * axes, "dilation": (1,) * axes}
        return convolve(bottom, blobs, (1, 2, 1, 1)[:axes], 2, **window)

    text = convolution(f"num_output: 4 group: 2 {' '.join(values)}")
    check_layer(text, [random_bottom(2, 6, *sizes)], oracle, gradients=axes < 4)


def test_every_bottom_has_a_top() -> None:
    text = convolution("num_output: 3 kernel_size: 2")
    bottoms = [random_bottom(2, 2, 3, 4, seed=seed) for seed in (1, 2)]
    layer = check_layer(text, bottoms, tops=2)
    alone = build(text, bottoms[1])
    assert_close(run(layer, *bottoms)[1], run(alone, bottoms[1])[0])


def test_every_field_matters() -> None:
    assert_every_field_matters(
        convolution(
            "num_output: 4 group: 2 kernel_size: 2 stride: 2 pad: 1 dilation: 2 engine: CAFFE force_nd_im2col: true"
        ),
        random_bottom(2, 4, 7, 6),
        without_effect=["engine", "force_nd_im2col"],
    )
    assert_every_field_matters(
        convolution("num_output: 2 kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3 pad_h: 1 pad_w: 2 axis: 2"),
        random_bottom(2, 3, 4, 7, 6),
    )
    without_bias = (
        "type: 'Convolution' convolution_param { num_output: 2 bias_term: false weight_filler { type: 'msra' } }"
    )
    assert_every_field_matters(without_bias, random_bottom(2, 3))


def test_large_grouped_windows_equal_torch() -> None:
    bottom = random_bottom(3, 8, 14, 14).float()
    layer = build(convolution("num_output: 32 group: 8 kernel_size: 14"), bottom, dtype=torch.float32)
    expected = torch.nn.functional.conv2d(bottom, layer.blobs[0], layer.blobs[1], groups=8)
    assert_close(run(layer, bottom)[0], expected, 1e-5)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ("kernel_size: 3", FieldError, r"expected num_output above 0, got \[0\]"),
        ("num_output: 4 group: 0 kernel_size: 3", FieldError, r"expected group above 0, got \[0\]"),
        ("num_output: 4 group: 4 kernel_size: 3", FieldError, "expected channels in multiples of group 4, got 6"),
        ("num_output: 4 group: 3 kernel_size: 3", FieldError, "expected outputs in multiples of group 3, got 4"),
        ("num_output: 4", FieldError, "expected kernel_size or kernel_h and kernel_w, got neither"),
        ("num_output: 4 kernel_size: 0", FieldError, r"expected kernel_size above 0, got \[0, 0\]"),
        ("num_output: 4 kernel_size: 3 stride: 0", FieldError, r"expected stride above 0, got \[0, 0\]"),
        ("num_output: 4 kernel_size: 3 axis: 4", ShapeError, r"expected axis within \[-4, 4\), got 4"),
    ],
)
def test_refuses_what_cannot_be_set_up(fields: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=rf"^layer 'conv1' \(Convolution\): {message}"):
        build(convolution(fields), (2, 6, 7, 9))


def test_refuses_other_bottoms_than_at_setup() -> None:
    layer = build(convolution("num_output: 4 kernel_size: 3"), (2, 6, 7, 9))
    expected = r"^layer 'conv1' \(Convolution\): expected 4 axes with 6 channels on axis 1, got a bottom of"
    for shape in ((2, 5, 7, 9), (2, 6, 7)):
        with pytest.raises(ShapeError, match=expected):
            layer(random_bottom(*shape))


def test_refuses_inputs_below_one_window() -> None:
    with pytest.raises(ShapeError, match=r"^layer 'conv1' .* at least one window, got \[2, 9\], which gives \[0, 7\]"):
        build(convolution("num_output: 4 kernel_size: 3"), (1, 6, 2, 9)).top_shapes((1, 6, 2, 9))


def test_refuses_another_number_of_tops() -> None:
    with pytest.raises(GraphError, match=r"^layer 'conv1' .* expected as many tops as bottoms \(1\), got 2"):
        build(convolution("num_output: 4 kernel_size: 3"), (1, 6, 7, 9), tops=2)


def test_channels_last_memory_gives_the_same() -> None:
    bottom = random_bottom(2, 4, 5, 5)
    for fields in ("num_output: 3 kernel_size: 3", "num_output: 4 group: 2 kernel_size: 5"):
        layer = build(convolution(fields), bottom)
        assert_close(run(layer, bottom.to(memory_format=torch.channels_last))[0], run(layer, bottom)[0])
        assert np.isfinite(run(layer, bottom)[0].detach().numpy()).all()


@pytest.mark.parametrize("bias", ["true", "false"])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 3), (7, 2)])
@pytest.mark.parametrize(
    "sizes", [(1, 5, 4, 3), (2, 5, 4, 3), (2, 5, 1, 1), (3, 5, 4, 3), (4, 5, 9, 8), (3, 512, 5, 6)]
)
def test_products_of_pixels_equal_the_convolution(sizes: tuple[int, ...], stride: tuple[int, int], bias: str) -> None:
    outputs = 7 if sizes[1] == 5 else 1024  # so many weights that several images share one product
    fields = f"num_output: {outputs} kernel_size: 1 stride_h: {stride[0]} stride_w: {stride[1]} bias_term: {bias}"
    layer = build(convolution(fields), sizes)
    bottom = random_bottom(*sizes).detach()
    oracle = conv2d(bottom, layer.blobs[0], layer.blobs[1] if bias == "true" else None, stride)
    for layout in (torch.contiguous_format, torch.channels_last):
        images = bottom.clone(memory_format=layout)
        with torch.no_grad():
            top = layer(images)
        torch.testing.assert_close(top, oracle, rtol=1e-12, atol=1e-12)
        assert top.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize(
    ("fields", "sizes"),
    [
        ("num_output: 16 kernel_size: 3 stride: 2 pad: 1", (2, 8, 14, 2)),
        ("num_output: 16 kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 3 group: 2", (2, 8, 9, 5)),
        ("num_output: 6 kernel_size: 2 stride: 3", (2, 3, 4, 9, 3)),
    ],
)
def test_strides_to_no_second_window_in_bfloat16(fields: str, sizes: tuple[int, ...], autocast: bool) -> None:
    layer = build(convolution(fields), sizes)
    bottom = random_bottom(*sizes).detach()
    expected = layer(bottom).detach()
    dtype = torch.float32 if autocast else torch.bfloat16
    layer.to(dtype)
    for _ in range(5):  # the wrong numbers were those in memory
        torch.full((100_000,), 1e30)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            top = layer(bottom.to(dtype))
        torch.testing.assert_close(top.double(), expected, rtol=0.05, atol=0.05 * float(expected.abs().max()))


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "dilation", "sizes", "top_sizes"),
    [
        ((3, 1), (3, 2), (2, 1), (1, 3), (7, 2), (3, 2)),
        ((1, 1), (2, 2), (1, 1), (2, 2), (11, 1), (7, 2)),
        ((3, 1), (2, 2), (2, 1), (1, 3), (3, 1), (3, 2)),
    ],
)
def test_windows_with_gaps_that_lie_beside_the_image(
    kernel: Pair, stride: Pair, pad: Pair, dilation: Pair, sizes: Pair, top_sizes: Pair
) -> None:
    """With channels last, oneDNN crashes for most of them, or reads other memory."""
    fields = " ".join(
        f"{name}_h: {rows} {name}_w: {columns}"
        for name, (rows, columns) in {"kernel": kernel, "stride": stride, "pad": pad}.items()
    )
    text = convolution(f"num_output: 4 group: 2 {fields} dilation: {dilation[0]} dilation: {dilation[1]}")

    def oracle(blobs: list[Array], bottom: Array) -> Array:
        return convolve(bottom, blobs, top_sizes, 2, stride=stride, pad=pad, dilation=dilation)

    bottom = random_bottom(3, 6, *sizes)
    layer = check_layer(text, [bottom], oracle)
    expected = layer(bottom).detach()
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 0.05)):
        top = layer.to(dtype)(bottom.to(dtype).contiguous(memory_format=torch.channels_last))
        assert_close(top.double(), expected, tolerance * float(expected.abs().max()))


@pytest.mark.parametrize("stride", ["", "stride: 2", "stride_h: 1 stride_w: 3", "stride: 7"])
@pytest.mark.parametrize("sizes", [(2, 5, 4, 3), (2, 5, 7, 5), (1, 3, 8, 9)])
@pytest.mark.parametrize("bias", ["true", "false"])
def test_gradients_of_products_of_channels_last_pixels(bias: str, sizes: tuple[int, ...], stride: str) -> None:
    layer = build(convolution(f"num_output: 7 kernel_size: 1 {stride} bias_term: {bias}"), sizes)
    gradients = []
    for layout in (torch.contiguous_format, torch.channels_last):
        images = random_bottom(*sizes).detach().clone(memory_format=layout).requires_grad_()
        gradients.append(torch.autograd.grad(layer(images).square().sum(), [images, *layer.blobs]))
    for plain, innermost in zip(*gradients, strict=True):
        torch.testing.assert_close(innermost, plain, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "fields",
    ["kernel_size: 3 pad: 1", "kernel_size: 1 pad: 1 stride: 2", "kernel_size: 1 pad: 1", "kernel_size: 1 group: 5"],
)
def test_other_convolutions_of_channels_last_images_stay_convolutions(fields: str) -> None:
    layer = build(convolution(f"num_output: 10 {fields}"), (2, 5, 4, 3))
    bottom = random_bottom(2, 5, 4, 3).detach()
    torch.testing.assert_close(layer(bottom.to(memory_format=torch.channels_last)), layer(bottom), rtol=1e-5, atol=1e-5)

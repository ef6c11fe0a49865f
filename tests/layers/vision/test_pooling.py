"""Pooling against plain loops in Caffe's order, its rounding and its empty windows."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError, GraphError, ShapeError
from tests.layers.harness import (
    Array,
    assert_every_field_matters,
    build,
    check_gradients,
    check_layer,
    random_bottom,
    run,
)

LOWEST = float(np.finfo(np.float32).min)

#: Fields, and (kernel, stride, pad, top sizes) for a 6x7 image.
WINDOWS = {
    "kernel_size: 3 stride: 2": ((3, 3), (2, 2), (0, 0), (3, 3)),
    "kernel_size: 3 stride: 2 round_mode: FLOOR": ((3, 3), (2, 2), (0, 0), (2, 3)),
    "kernel_size: 3 stride: 2 pad: 1": ((3, 3), (2, 2), (1, 1), (4, 4)),
    "kernel_h: 2 kernel_w: 4 stride_h: 3 stride_w: 1 pad_h: 1 pad_w: 3": ((2, 4), (3, 1), (1, 3), (3, 10)),
    "kernel_size: 5 stride: 4 pad: 4": ((5, 5), (4, 4), (4, 4), (3, 3)),
    "kernel_size: 2 stride: 5 pad_h: 1": ((2, 2), (5, 5), (1, 0), (2, 2)),
    "kernel_size: 4 stride: 3": ((4, 4), (3, 3), (0, 0), (2, 2)),
    "global_pooling: true": ((6, 7), (1, 1), (0, 0), (1, 1)),
}


def pooling(fields: str) -> str:
    return f"name: 'pool1' type: 'Pooling' pooling_param {{ {fields} }}"


def spans(size: int, kernel: int, stride: int, pad: int, count: int) -> Iterator[tuple[int, int, int]]:
    """Caffe's (start, end, extent within the padded image) of every window along an axis."""
    for place in range(count):
        start = place * stride - pad
        extent = min(start + kernel, size + pad) - start
        yield max(start, 0), min(start + kernel, size), extent


def loop(bottom: Array, window: tuple[tuple[int, int], ...], method: str) -> tuple[Array, Array]:
    """Tops and masks by pooling_layer.cpp's loops."""
    kernel, stride, pad, counts = window
    top = np.full((*bottom.shape[:2], *counts), LOWEST if method == "MAX" else 0.0)
    mask = np.full(top.shape, -1.0)
    axes = [list(spans(bottom.shape[2 + a], kernel[a], stride[a], pad[a], counts[a])) for a in (0, 1)]
    for n, c, y, x in np.ndindex(top.shape):
        (top_row, end_row, rows), (left, end_column, columns) = axes[0][y], axes[1][x]
        for row in range(top_row, end_row):
            for column in range(left, end_column):
                value = bottom[n, c, row, column]
                if method == "AVE":
                    top[n, c, y, x] += value
                elif value > top[n, c, y, x]:
                    top[n, c, y, x], mask[n, c, y, x] = value, row * bottom.shape[3] + column
        if method == "AVE":
            with np.errstate(invalid="ignore"):
                top[n, c, y, x] /= np.float64(rows * columns)
    return top, mask


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize("fields", WINDOWS)
def test_windows(fields: str, method: str) -> None:
    def oracle(_: list[Array], bottom: Array) -> Array:
        return loop(bottom, WINDOWS[fields], method)[0]

    check_layer(pooling(f"pool: {method} {fields}"), [random_bottom(2, 3, 6, 7)], oracle)


@pytest.mark.parametrize("fields", WINDOWS)
def test_second_top_is_the_mask(fields: str) -> None:
    def oracle(_: list[Array], bottom: Array) -> tuple[Array, Array]:
        return loop(bottom, WINDOWS[fields], "MAX")

    check_layer(pooling(fields), [random_bottom(2, 3, 6, 7)], oracle, tops=2)


def test_first_of_equal_maxima_wins() -> None:
    bottom = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    _, mask = run(build(pooling("kernel_size: 3 stride: 2 pad: 1"), bottom, tops=2), bottom)
    assert mask.flatten().tolist() == [0, 1, 3, 4, 5, 7, 12, 13, 15]


@pytest.mark.parametrize(("method", "tops"), [("MAX", 1), ("MAX", 2), ("AVE", 1)])
def test_empty_windows_run_but_do_not_train(method: str, tops: int) -> None:
    """In 6, kernel 1, stride 4 gives 3 windows, the last one behind the image."""
    bottom = random_bottom(2, 3, 6, 5)
    window = ((1, 1), (4, 4), (0, 0), (3, 2))
    layer = check_layer(
        pooling(f"pool: {method} kernel_size: 1 stride: 4"),
        [bottom],
        lambda _, values: loop(values, window, method)[:tops],
        tops=tops,
        gradients=False,
    )
    with pytest.raises(ShapeError, match=r"^layer 'pool1' \(Pooling\): expected windows that start within the image"):
        run(layer, bottom.clone().requires_grad_())[0].sum().backward()


def test_average_of_an_empty_window_is_not_a_number() -> None:
    bottom = random_bottom(1, 1, 4, 4)
    (top,) = run(build(pooling("pool: AVE kernel_size: 1 stride: 2"), (1, 1, 4, 4)), bottom)
    assert top.shape == (1, 1, 3, 3)
    assert top[0, 0].isnan().tolist() == [[False, False, True], [False, False, True], [True, True, True]]


def test_stochastic_pooling_draws_in_proportion() -> None:
    bottom = torch.tensor([1.0, 0.0, 2.0, 5.0], dtype=torch.float64).reshape(1, 1, 2, 2).expand(4000, 1, 2, 2)
    layer = build(pooling("pool: STOCHASTIC kernel_size: 2"), bottom)
    drawn = run(layer, bottom)[0].flatten()
    shares = [float((drawn == value).double().mean()) for value in (1.0, 0.0, 2.0, 5.0)]
    np.testing.assert_allclose(shares, [0.125, 0.0, 0.25, 0.625], atol=0.03)  # four deviations of 4000 draws


def test_stochastic_pooling_sends_the_gradient_to_what_it_drew() -> None:
    bottom = random_bottom(2, 3, 5, 4).abs()
    check_layer(pooling("pool: STOCHASTIC kernel_size: 3 stride: 2"), [bottom], single_tolerance=10.0)


def test_stochastic_pooling_tests_with_the_expected_value() -> None:
    def oracle(_: list[Array], bottom: Array) -> Array:
        top = np.zeros((2, 3, 2, 2))
        for n, c, y, x in np.ndindex(top.shape):
            window = bottom[n, c, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
            top[n, c, y, x] = (window**2).sum() / window.sum()
        return top

    text = pooling("pool: STOCHASTIC kernel_size: 3 stride: 2")
    check_layer(text, [random_bottom(2, 3, 5, 4).abs()], oracle, phase="TEST")


def test_every_field_matters() -> None:
    for fields in (
        "pool: AVE kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR engine: CAFFE",
        "pool: AVE kernel_h: 3 kernel_w: 4 stride_h: 2 stride_w: 3 pad_h: 1 pad_w: 2",
        "pool: STOCHASTIC global_pooling: true",
    ):
        assert_every_field_matters(pooling(fields), random_bottom(2, 3, 6, 8).abs(), without_effect=["engine"])


def test_gradient_through_torch_kernels_and_own_padding() -> None:
    for fields in ("kernel_size: 3 stride: 2", "kernel_size: 3 pad: 2"):
        bottom = random_bottom(1, 2, 5, 6)
        check_gradients(build(pooling(fields), bottom), bottom)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", "expected kernel_size or kernel_h and kernel_w, got neither"),
        (
            "kernel_h: 3",
            "expected kernel_size, or both of kernel_h and kernel_w for 2 spatial axes, got kernel_h for 2",
        ),
        ("kernel_size: 0", r"expected kernel_size above 0, got \[0, 0\]"),
        ("kernel_size: 2 stride: 0", r"expected stride above 0, got \[0, 0\]"),
        ("kernel_size: 2 pad: 2", r"expected pad below kernel_size \(2, 2\), got \(2, 2\)"),
        ("kernel_size: 3 pad: 1 pool: STOCHASTIC", r"expected no pad with STOCHASTIC pooling, got \(1, 1\)"),
        ("kernel_size: 3 global_pooling: true", "expected no kernel, pad or stride with global_pooling"),
        ("stride: 2 global_pooling: true", "expected no kernel, pad or stride with global_pooling"),
    ],
)
def test_refuses_windows(fields: str, message: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer 'pool1' \(Pooling\): {message}"):
        build(pooling(fields), (1, 2, 6, 7))


def test_refuses_a_mask_of_averages() -> None:
    with pytest.raises(GraphError, match=r"^layer 'pool1' \(Pooling\): expected 1 top .* got 2 with AVE"):
        build(pooling("pool: AVE kernel_size: 2"), (1, 2, 6, 7), tops=2)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 3, 4), "expected 4 axes"),
        ((1, 1, 2, 6), r"expected an input of at least one window \(4, 4\), got \(2, 6\)"),
    ],
)
def test_refuses_bottoms(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=rf"^layer 'pool1' \(Pooling\): {message}"):
        build(pooling("kernel_size: 4"), shape).top_shapes(shape)


@pytest.mark.parametrize("tops", [1, 2])
def test_nan_is_never_the_largest(tops: int) -> None:
    """Caffe compares with >, which is false for NaN, and starts from -FLT_MAX."""
    bottom = torch.tensor([[1, math.nan, 2, math.nan], [0.5, -1, math.nan, 7], [-math.inf] * 2 + [math.nan] * 2])
    bottom = bottom.reshape(1, 1, 3, 4).double().requires_grad_()
    text = "type: 'Pooling' pooling_param { kernel_h: 1 kernel_w: 2 stride_h: 1 stride_w: 2 }"
    top, *mask = run(build(text, bottom, tops=tops), bottom)
    lowest = torch.finfo(torch.float32).min
    assert top.flatten().tolist() == [1, 2, 0.5, 7, lowest, lowest]
    assert [values.flatten().tolist() for values in mask] == [[0, 2, 4, 7, -1, -1]] * (tops - 1)
    top[0, 0, :2].sum().backward()
    assert bottom.grad is not None
    assert bottom.grad.flatten().tolist() == [1, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_a_stride_far_beyond_the_bottom_is_refused_before_the_bottom_is_padded(method: str) -> None:
    shape = (1, 2, 6, 6)
    layer = build(pooling(f"pool: {method} kernel_size: 2 stride: 3000000000"), shape)
    with pytest.raises(ShapeError, match=r"the padded bottom would have 1x2x3000000002x3000000002 = "):
        layer.top_shapes(shape)


def test_masks_of_half_precision_are_whole() -> None:
    image = torch.zeros(1, 1, 40, 60, dtype=torch.bfloat16)
    image[0, 0, 39, 59] = 1
    _, mask = run(build(pooling("kernel_size: 2 stride: 2"), image, tops=2), image)
    assert mask[0, 0, -1, -1].item() == 39 * 60 + 59


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("text", "tops"),
    [
        (pooling("kernel_size: 3 stride: 2 pad: 2"), 1),
        (pooling("kernel_size: 1 stride: 4"), 1),
        (pooling("kernel_size: 3 stride: 2 pad: 1"), 2),
        ("type: 'SPP' spp_param { pyramid_height: 3 }", 1),
        ("type: 'ROIPooling' roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 1 }", 1),
        ("type: 'ROIWarping' roi_warping_param { pooled_h: 2 pooled_w: 3 spatial_scale: 1 }", 1),
    ],
)
def test_maxima_in_half_precision(text: str, tops: int, dtype: torch.dtype) -> None:
    """Half precision has no -FLT_MAX: its own least number stands for it."""
    image = torch.randn(1, 2, 6, 6, generator=torch.Generator().manual_seed(1)).to(dtype)
    bottoms = [image, torch.tensor([[0, 1, 1, 5, 4]], dtype=dtype)][: 2 if "roi" in text else 1]
    found, expected = (
        run(build(text, *bottoms, tops=tops, dtype=each), *[bottom.to(each) for bottom in bottoms])
        for each in (dtype, torch.float64)
    )
    assert [low.dtype for low in found] == [dtype, torch.float32][:tops]  # a mask holds large whole numbers
    for low, exact in zip(found, expected, strict=True):
        # ROIWarping interpolates before: a few roundings to 8 bits.
        torch.testing.assert_close(low.double(), exact.clamp(min=torch.finfo(dtype).min), rtol=0.05, atol=0.05)

"""Unpooling against the loops of DeconvNet."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

FIELDS = "kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3"


def loop_of(method: str, height: int, width: int) -> Callable[..., Array]:
    def loop(_: list[Array], bottom: Array, *mask: Array) -> Array:
        top = np.zeros((*bottom.shape[:2], height, width))
        for n, c, y, x in np.ndindex(bottom.shape):
            value = bottom[n, c, y, x]
            if method == "MAX":
                place = int(mask[0][n, c, y, x]) if mask else min(2 * y, height - 1) * width + min(3 * x, width - 1)
                top[n, c, place // width, place % width] = value
                continue
            rows, columns = range(2 * y, min(2 * y + 3, height)), range(3 * x, min(3 * x + 2, width))
            for row, column in ((row, column) for row in rows for column in columns):
                top[n, c, row, column] += value / (len(rows) * len(columns) if method == "AVE" else 1)
        return top

    return loop


def mask_of(bottom: torch.Tensor, places: int) -> torch.Tensor:
    random = np.random.default_rng(3)
    rows = [random.permutation(places)[: bottom[0, 0].numel()] for _ in range(bottom.shape[0] * bottom.shape[1])]
    return torch.tensor(np.array(rows).reshape(bottom.shape), dtype=torch.float64)


def test_places_of_a_mask() -> None:
    bottom = random_bottom(2, 3, 3, 4)
    text = f"type: 'Unpooling' unpooling_param {{ {FIELDS} }}"
    check_layer(text, [bottom, mask_of(bottom, 7 * 13)], loop_of("MAX", 7, 13))


@pytest.mark.parametrize("method", ["MAX", "AVE", "TILE"])
@pytest.mark.parametrize(("size", "height", "width"), [("", 7, 13), ("unpool_h: 6 unpool_w: 10", 6, 10)])
def test_windows(method: str, size: str, height: int, width: int) -> None:
    text = f"type: 'Unpooling' unpooling_param {{ unpool: {method} {FIELDS} {size} }}"
    check_layer(text, [random_bottom(2, 3, 3, 4)], loop_of(method, height, width))


def test_every_field_matters() -> None:
    text = "type: 'Unpooling' unpooling_param { unpool: TILE kernel_size: 3 stride: 2 unpool_size: 10 }"
    assert_every_field_matters(text, random_bottom(2, 3, 4, 4))
    engine = "type: 'Unpooling' unpooling_param { kernel_size: 3 engine: CAFFE }"
    assert_every_field_matters(engine, random_bottom(2, 3, 4, 4), without_effect=("engine",))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("kernel_size: 2 pad: 1", "expected a pad of 0, as DeconvNet's Caffe takes no other"),
        ("kernel_size: 2 unpool_h: 4", "expected unpool_size, or both of unpool_h and unpool_w"),
        ("kernel_size: 2 unpool_size: 4 unpool_h: 4 unpool_w: 4", "expected unpool_size, or both of unpool_h and unp"),
        ("kernel_size: 2 unpool_size: 0", r"expected unpool_size above 0, got \[0, 0\]"),
        ("kernel_size: 2 stride: 0", r"expected kernel_size and stride above 0, got \[2, 2, 0, 0\]"),
        ("stride: 2", "expected kernel_size or kernel_h and kernel_w, got neither"),
    ],
)
def test_refuses_fields(fields: str, message: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer 'layer' \(Unpooling\): {message}"):
        build(f"type: 'Unpooling' unpooling_param {{ {fields} }}", (2, 3, 4, 5))


def test_refuses_other_masks() -> None:
    layer = build("type: 'Unpooling' unpooling_param { kernel_size: 2 stride: 2 }", (2, 3, 4, 5), (2, 3, 4, 5))
    with pytest.raises(
        ShapeError, match=r"expected 4 axes .* and a mask of the same shape, got \[2, 3, 4, 5\], \[2, 3, 4"
    ):
        layer.top_shapes((2, 3, 4, 5), (2, 3, 4, 4))
    with pytest.raises(
        ShapeError, match=r"expected mask indices below 9x11, got 99; scale or size must match the pooli"
    ):
        layer(torch.zeros(2, 3, 4, 5), torch.full((2, 3, 4, 5), 99.0))

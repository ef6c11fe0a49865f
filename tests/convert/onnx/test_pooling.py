"""Caffe's windows: every way they can lie on an image."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.convert.onnx.export import export_onnx
from caffe_compat.errors import MissingFeatureError
from tests.convert.onnx.cases import check, net_of

#: size, kernel, stride, pad: with and without a rest, a last window cut, dropped, or behind the image.
WINDOWS = [
    (6, 1, 4, 0),
    (6, 2, 2, 0),
    (6, 3, 2, 0),
    (6, 3, 2, 1),
    (6, 5, 4, 2),
    (7, 2, 2, 1),
    (7, 3, 2, 0),
    (7, 4, 3, 3),
    (7, 6, 5, 1),
    (8, 3, 3, 2),
    (9, 2, 5, 1),
    (5, 5, 1, 0),
    (4, 3, 1, 2),
]


def pooling(method: str, fields: str, tops: str = "out") -> str:
    names = " ".join(f'top: "{top}"' for top in tops.split())
    return f'layer {{ name: "p" type: "Pooling" bottom: "a" {names} pooling_param {{ pool: {method} {fields} }} }}'


@pytest.mark.parametrize("method", ["MAX", "AVE", "STOCHASTIC"])
@pytest.mark.parametrize("mode", ["CEIL", "FLOOR"])
def test_every_window(method: str, mode: str, tmp_path: Path) -> None:
    for size, kernel, stride, pad in WINDOWS:
        if method == "STOCHASTIC" and pad:
            continue  # which it refuses
        text = pooling(method, f"kernel_size: {kernel} stride: {stride} pad: {pad} round_mode: {mode}")
        image = np.random.default_rng(size).normal(size=(2, 3, size, size + 3))
        check(net_of(text, image.shape), tmp_path, {"a": np.abs(image) if method == "STOCHASTIC" else image})


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_rectangles_and_the_whole_image(method: str, tmp_path: Path) -> None:
    check(net_of(pooling(method, "kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3 pad_h: 1"), (2, 3, 8, 7)), tmp_path)
    check(net_of(pooling(method, "global_pooling: true"), (2, 3, 4, 5)), tmp_path, dynamic=True)


@pytest.mark.parametrize(("kernel", "stride", "pad"), [*itertools.product([2, 3], [1, 2, 3], [0, 1])])
def test_masks(kernel: int, stride: int, pad: int, tmp_path: Path) -> None:
    text = pooling("MAX", f"kernel_size: {kernel} stride: {stride} pad: {pad}", "x mask")
    check(net_of(text, (2, 3, 7, 8)), tmp_path)


def test_the_mask_of_an_empty_window_is_refused() -> None:
    with pytest.raises(
        MissingFeatureError, match=r"^layer 'p' \(Pooling\): ONNX has no mask for windows that lie outside"
    ):
        export_onnx(net_of(pooling("MAX", "kernel_size: 1 stride: 4", "x mask"), (2, 3, 6, 6)))

"""Causes that resemble each other: each is named for its own fault, and for none of the others."""

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from caffe_compat.layers.base import Layer
from caffe_compat.parity.compare import compare
from caffe_compat.parity.own_runs import record_layers
from tests.parity.causes.test_wrong_copies import AROUND, assert_explained, layer
from tests.parity.nets import inputs_of, net_of

LARGE = 'layer { name: "big" type: "Power" bottom: "conv1" top: "big" power_param { scale: 12 shift: 1 } }\n' + layer(
    "", "ReLU", ("big",)
)
CONVOLUTION = layer("convolution_param { num_output: 5 kernel_size: 3 pad: 1 }", "Convolution")
RESIZE = layer("interp_param { height: 20 width: 17 }", "Interp")
SOFTMAX, PRELU, NORM = layer("", "Softmax"), layer("", "PReLU"), layer("", "BatchNorm")
DROPOUT = layer("dropout_param { dropout_ratio: 0.4 }", "Dropout")
COUNT = 2 * 12 * 11


def padded(before: int, after: int) -> Callable[[Layer, Tensor], Tensor]:
    return lambda own, x: functional.conv2d(functional.pad(x, (before, after) * 2), *own.blobs)


def normalised(variance: Callable[[Tensor], Tensor]) -> Callable[[Layer, Tensor], Tensor]:
    def forward(own: Layer, x: Tensor) -> Tensor:
        mean, stored, factor = own.blobs
        shape = (1, -1, 1, 1)
        return (x - (mean / factor).view(shape)) / (variance(stored / factor) + 1e-5).sqrt().view(shape)

    return forward


def resized(mode: str, corners: bool | None) -> Callable[[Layer, Tensor], Tensor]:
    return lambda own, x: functional.interpolate(x, (20, 17), mode=mode, align_corners=corners)


FAULTS: dict[str, tuple[str, Callable[[Layer, Tensor], Tensor], str]] = {
    "ReLU6": (LARGE, lambda own, x: functional.relu6(x), r"^type: ReLU6"),
    "clip": (LARGE, lambda own, x: x.clamp(0, 3.3), r"^a clip: the other side ends at 3\.3 "),
    "log softmax": (SOFTMAX, lambda own, x: x.log_softmax(1), r"^function: .* logarithm"),
    "sigmoids": (SOFTMAX, lambda own, x: x.sigmoid(), r"^function: .* sigmoids"),
    "softmax of all": (SOFTMAX, lambda own, x: x.flatten(1).softmax(1).view_as(x), r"^axis: .* all values"),
    "softmax of rows": (SOFTMAX, lambda own, x: x.softmax(2), r"^axis: 2 explains"),
    "more padding before": (CONVOLUTION, padded(2, 0), r"^padding: .* two pixels more before"),
    "more padding behind": (CONVOLUTION, padded(0, 2), r"^padding: .* two pixels less before"),
    "padding before alone": (CONVOLUTION, padded(1, 0), r"^padding: .* one pixel less behind"),
    "edge to edge": (RESIZE, resized("bilinear", False), r"^align_corners: "),
    "nearest": (RESIZE, resized("nearest", None), r"^kind of resizing: .* nearest"),
    "one slope": (PRELU, lambda own, x: functional.leaky_relu(x, 0.31), r"^channel_shared: .* one slope, 0\.31 "),
    "first slope": (PRELU, lambda own, x: functional.prelu(x, own.blobs[0][:1]), r"^channel_shared: .* first channel"),
    "no slope": (PRELU, lambda own, x: x.relu(), r"^slopes: .* none"),
    "other slopes": (PRELU, lambda own, x: functional.prelu(x, own.blobs[0] / 2 + 0.1), r"^slopes: .* channels have"),
    "dropout divided": (DROPOUT, lambda own, x: x / 0.6, r"^dropout scale: .* at TEST"),
    "dropout multiplied": (DROPOUT, lambda own, x: x * 0.6, r"^scale_train: false"),
    "dropout halved": (DROPOUT, lambda own, x: x * 0.5, r"^(a factor: .* 0\.5 times|dropout_ratio)"),
    "unbiased": (NORM, normalised(lambda v: v * COUNT / (COUNT - 1)), rf"^variance .* has the unbiased .* {COUNT} "),
    "biased": (NORM, normalised(lambda v: v * (COUNT - 1) / COUNT), r"^variance convention: ours is the unbiased"),
    "a little more": (NORM, normalised(lambda v: v * 1.02), r"^a factor: "),
    "no variance": (NORM, normalised(torch.ones_like), r"^variance: .* does not divide"),
    "inverse read as variance": (NORM, normalised(lambda v: (v + 1e-5).rsqrt()), r"^variance .* reads as var"),
    "variance unscaled": (NORM, normalised(lambda v: v * 2.5), r"^scale factor: .* only the mean by blob 2"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_each_fault_has_its_own_cause(case: str) -> None:
    assert_explained(*FAULTS[case])


MEAN = np.array([104, 117, 123], np.float32).reshape(3, 1, 1)
IMAGES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "mean left in": (lambda x: x + MEAN, r"^mean: the other side's channels are ours plus 104 117 123 \(leaves"),
    "mean in reverse": (lambda x: x + MEAN - MEAN[::-1], r"^mean: .* \(a mean in reverse order of channels\)"),
    "RGB with its mean": (lambda x: (x + MEAN)[:, ::-1], r"^mean: .* in reverse order \(RGB for BGR\), .* 123 117 104"),
    "RGB": (lambda x: x[:, ::-1], r"^channel order: "),
    "scaled": (lambda x: x / 255, r"^a factor: .* \(1/255\)"),
    "scaled otherwise": (lambda x: x / 250, r"^a factor: .* 0.004 times ours \(leaves"),
    "mirrored": (lambda x: x[..., ::-1], r"^order of columns: "),
    "upside down": (lambda x: x[:, :, ::-1], r"^order of rows: "),
    "moved": (lambda x: np.roll(x, (2, -1), (2, 3)), r"^crop: .* 2 rows lower and -1 columns further right"),
    "RGB scaled": (lambda x: (x + MEAN)[:, ::-1] / MEAN, r"^other statistics.* in reverse order"),
    "another image": (lambda x: x**2, r"^none of \d+ hypotheses explains it$"),
}


@pytest.mark.parametrize("case", IMAGES)
def test_each_fault_of_an_input_has_its_own_cause(case: str) -> None:
    change, cause = IMAGES[case]
    ours, theirs = (net_of(AROUND.format(layer=layer("", "ReLU"))) for _ in range(2))
    image = inputs_of(ours)["data"] * 50
    other = record_layers(theirs, {"data": np.ascontiguousarray(change(image), np.float32)})
    first = compare(ours, other, {"data": image}).first_wrong
    assert first is not None
    assert first.layer == "data"
    assert re.search(cause, first.cause), first.cause

"""Hypotheses: the other side computes a different function that is often confused with the layer."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from caffe_compat.parity.causes.trial import Trial
from caffe_compat.parity.recording import Recorded


def replaced(trial: Trial) -> Iterator[Trial]:
    """Yields a trial for each of REPLACEMENTS for the layer's type."""
    for says, function in REPLACEMENTS[trial.parameter.type].items():
        yield replace(trial, finish=partial(function, trial), says=says)


def _resized(mode: str, corners: bool | None, trial: Trial, result: Tensor) -> Tensor:
    return interpolate(trial.bottoms[0], result.shape[2:], mode=mode, align_corners=corners)


def _log_softmax(trial: Trial, result: Tensor) -> Tensor:
    return trial.bottoms[0].log_softmax(trial.parameter.softmax_param.axis)


def _sigmoid(trial: Trial, result: Tensor) -> Tensor:
    return trial.bottoms[0].sigmoid()


def _softmax_of_all(trial: Trial, result: Tensor) -> Tensor:
    return trial.bottoms[0].flatten(1).softmax(1).view(result.shape)


def _divided(trial: Trial, result: Tensor) -> Tensor:
    return trial.bottoms[0] / (1 - trial.parameter.dropout_param.dropout_ratio)


#: By type: the text for the report, and a function that computes the result from the trial and our layer's result.
REPLACEMENTS: dict[str, dict[str, Callable[[Trial, Tensor], Tensor]]] = {
    "Interp": {
        "align_corners: the other side resizes edge to edge, not corner to corner": partial(
            _resized, "bilinear", False
        ),
        "kind of resizing: the other side takes the nearest pixel": partial(_resized, "nearest", None),
        "kind of resizing: the other side's is bicubic": partial(_resized, "bicubic", True),
    },
    "Softmax": {
        "function: the other side gives the softmax's logarithm": _log_softmax,
        "function: the other side gives sigmoids in place of a softmax": _sigmoid,
        "axis: the other side's softmax is over all values of an item": _softmax_of_all,
    },
    "Dropout": {"dropout scale: the other side divides by what is kept, at TEST as well": _divided},
}


def prelu(trial: Trial) -> Iterator[Trial]:
    """Yields trials for PReLU: one slope for all channels, and no slope."""
    slopes = trial.blobs[0]
    if slopes.numel() > 1:
        first = slopes.flatten()[0].expand(slopes.shape)
        says = "channel_shared: the other side takes the first channel's slope for all"
        yield replace(trial, blobs=(first,), says=says)
    says = "slopes: the other side has none (a ReLU)"
    yield replace(trial, blobs=(torch.zeros_like(slopes),), says=says)


def fitted_slopes(trial: Trial, theirs: Recorded) -> Iterator[Trial]:
    """Yields trials with slopes fitted to the other side's results for negative values: one in all, one per channel."""
    bottom = trial.bottoms[0]
    if not isinstance(theirs, np.ndarray) or theirs.size != bottom.numel():
        return
    below = bottom.clamp(max=0)
    other = torch.tensor(theirs, device=bottom.device).view(bottom.shape)
    axes = [axis for axis in range(bottom.dim()) if axis != 1]
    products, squares = (below * other).sum(axes), below.square().sum(axes).clamp(min=torch.finfo().tiny)
    shape = (1, -1, *[1] * (bottom.dim() - 2))
    for slopes, says in (
        ((products.sum() / squares.sum()).expand(products.shape), "channel_shared: the other side has one slope, "),
        (products / squares, "slopes: the other side's channels have "),
    ):
        top = torch.where(bottom > 0, bottom, bottom * slopes.view(shape))
        shown = " ".join(f"{slope:.4g}" for slope in sorted(set(slopes.tolist()))[:8])
        yield replace(trial, finish=partial(_instead, top), says=says + shown)


def _instead(top: Tensor, result: Tensor) -> Tensor:
    return top

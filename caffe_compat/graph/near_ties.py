"""Near ties: results that jump if bottoms change by a rounding error (ArgMax, masks of maxima, detections).

Two programs that sum in different orders may choose differently between nearly equal values. Neither is wrong. A
different result counts as a tie if our own layer also gives it on bottoms changed by no more than rounding errors.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.graph.wiring import Step
from caffe_compat.layers.base import Layer, as_tuple
from caffe_compat.layers.utility.detection_output import DetectionOutput
from caffe_compat.layers.vision.pooling import Pooling

Array = NDArray[Any]

#: Number of trials; each trial picks either of two equal values with probability one half.
TRIALS = 16
#: Limit of the error of results, relative to the change of bottoms: a few operations each add to the error.
GROWTH = 10
#: In a row of DetectionOutput, the first two numbers are the item and the class.
NAMES = 2


def jumps(step: Step, position: int = 0) -> bool:
    """Whether a small change of bottoms can make a top jump; such tops are compared only for equal bottoms."""
    return step.layer.is_discrete or (isinstance(step.layer, Pooling) and position == 1)


def is_near_tie(layer: Layer, bottoms: Sequence[Tensor], position: int, theirs: Array, size: float) -> bool:
    """Whether the layer also gives `theirs`, the top at `position`, on bottoms changed by up to `size`.

    `size` is a fraction of each bottom's largest absolute value. Each element may match in a different trial, and for
    DetectionOutput each row, since ties at different places are independent.
    """
    ours = _top(layer, bottoms, position)
    others = [_top(layer, _moved(layer, bottoms, size, seed), position) for seed in range(TRIALS)]
    if isinstance(layer, DetectionOutput):
        return _rows_are_reached(ours, others, theirs, GROWTH * size)
    return ours.shape == theirs.shape and bool(_elements_reached(ours, others, theirs, size).all())


def _top(layer: Layer, bottoms: Sequence[Tensor], position: int) -> Array:
    with torch.no_grad():
        made: Array = as_tuple(layer(*bottoms))[position].detach().cpu().float().numpy()
    return made


def _moved(layer: Layer, bottoms: Sequence[Tensor], size: float, seed: int) -> list[Tensor]:
    """Returns the bottoms with uniform noise; bottoms of whole numbers (labels, indices, markers) stay unchanged."""
    generator = torch.Generator().manual_seed(seed)
    whole = layer.whole_numbers(*(tuple(bottom.shape) for bottom in bottoms))
    moved = []
    for number, bottom in enumerate(bottoms):
        if number in whole or not bottom.numel():
            moved.append(bottom)
            continue
        noise = torch.rand(bottom.shape, generator=generator).to(bottom) * 2 - 1
        moved.append(bottom + noise * size * bottom.abs().max())
    return moved


def _elements_reached(ours: Array, others: Sequence[Array], theirs: Array, size: float) -> NDArray[np.bool_]:
    """Returns where one of our results equals theirs: exactly for whole numbers (indices), else within GROWTH * size.

    The result has the shape of `theirs`; the limit is relative to each value.
    """
    is_whole = bool((theirs == np.round(theirs)).all())
    limit = np.zeros_like(theirs) if is_whole else GROWTH * size * np.abs(theirs)
    reached = np.zeros(theirs.shape, bool)
    for result in (ours, *others):
        if result.shape == theirs.shape:
            reached |= np.abs(result - theirs) <= limit
    return reached


def _rows_are_reached(ours: Array, others: Sequence[Array], theirs: Array, limit: float) -> bool:
    """Whether the detections of both sides differ only by ties.

    Each row of theirs must be in one of our results. Each row of ours must be in theirs, or missing in a trial.
    """
    mine, their = ours.reshape(-1, ours.shape[-1]), theirs.reshape(-1, theirs.shape[-1])
    rest = [other.reshape(-1, other.shape[-1]) for other in others]
    found = _among(their, mine, limit) | np.any([_among(their, other, limit) for other in rest], axis=0)
    optional = _among(mine, their, limit) | ~np.all([_among(mine, other, limit) for other in rest], axis=0)
    return bool(found.all() and optional.all())


def _among(rows: Array, others: Array, limit: float) -> NDArray[np.bool_]:
    """Returns for each row whether `others` has a row with equal names and with numbers within the limit."""
    apart = np.abs(rows[:, None] - others[None])
    same = (apart[..., :NAMES] == 0).all(-1) & (apart[..., NAMES:] <= limit).all(-1)
    among: NDArray[np.bool_] = same.any(axis=1)
    return among

"""Near ties: results that jump where bottoms move by a rounding error (ArgMax, masks of maxima, detections).

Two programs that sum in another order may choose differently between values that are nearly equal. Neither is wrong. A
result counts as a tie where our own layer gives it, too, on bottoms that are moved by no more than rounding moves them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.graph.step import Step
from caffe_compat.layers.base import Layer, as_tuple
from caffe_compat.layers.utility.detection_output import DetectionOutput
from caffe_compat.layers.vision.pooling import Pooling

Array = NDArray[Any]

#: A choice between two equal values falls on either side in half of the trials.
TRIALS = 16
#: Boxes are computed from moved bottoms by a few operations, each of which may add to the error.
GROWTH = 10
#: Of a DetectionOutput's rows, the first two numbers name the item and the class.
NAMES = 2


def jumps(step: Step, position: int = 0) -> bool:
    """Whether a top jumps where bottoms move a little; two runs of it are compared on equal bottoms only."""
    return step.layer.is_discrete or (isinstance(step.layer, Pooling) and position == 1)


def is_near_tie(layer: Layer, bottoms: Sequence[Tensor], position: int, theirs: Array, size: float) -> bool:
    """Whether `theirs` at a top's position is what the layer gives on bottoms moved by up to `size`.

    `size` is a part of each bottom's largest value. Every element, and for DetectionOutput every row, may come from a
    trial of its own, since the ties of different places have nothing to do with each other.
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
    """The bottoms with noise; labels, indices and markers stay."""
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
    """Where one of our results is theirs: exactly for whole numbers (indices), within `size` for others."""
    is_whole = bool((theirs == np.round(theirs)).all())
    limit = np.zeros_like(theirs) if is_whole else GROWTH * size * np.abs(theirs)
    reached = np.zeros(theirs.shape, bool)
    for result in (ours, *others):
        if result.shape == theirs.shape:
            reached |= np.abs(result - theirs) <= limit
    return reached


def _rows_are_reached(ours: Array, others: Sequence[Array], theirs: Array, limit: float) -> bool:
    """Whether each row of theirs is among our results, and each of ours is theirs or missing in one of the others."""
    mine, their = ours.reshape(-1, ours.shape[-1]), theirs.reshape(-1, theirs.shape[-1])
    rest = [other.reshape(-1, other.shape[-1]) for other in others]
    found = _among(their, mine, limit) | np.any([_among(their, other, limit) for other in rest], axis=0)
    optional = _among(mine, their, limit) | ~np.all([_among(mine, other, limit) for other in rest], axis=0)
    return bool(found.all() and optional.all())


def _among(rows: Array, others: Array, limit: float) -> NDArray[np.bool_]:
    """For each row whether one of the others has its names and numbers within the limit."""
    apart = np.abs(rows[:, None] - others[None])
    same = (apart[..., :NAMES] == 0).all(-1) & (apart[..., NAMES:] <= limit).all(-1)
    among: NDArray[np.bool_] = same.any(axis=1)
    return among

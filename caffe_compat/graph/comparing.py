"""What a fair comparison of two programs needs: inputs that the layers can read, and tops that ties may change.

Programs that sum in different orders may choose differently between nearly equal values (ArgMax, masks of maxima,
detections). Neither is wrong. A different result counts as a tie if our own layer also gives it on bottoms changed by
no more than rounding errors.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.graph.wiring import Step
from caffe_compat.layers.base import Layer, Shape, as_tuple
from caffe_compat.layers.utility.detection_output import DetectionOutput
from caffe_compat.layers.vision.pooling import Pooling

Values = dict[str, NDArray[np.float32]]

#: Standard deviation of the pixels of an image minus its mean.
DEVIATION = 50.0


@dataclass(frozen=True)
class _Origin:
    """The inputs whose values a blob holds; `in_order` is true if the blob equals one input element by element."""

    inputs: frozenset[str]
    in_order: bool


@dataclass
class _Needs:
    """Requirements of layers, by input: whole numbers below a bound, or values made by a layer."""

    bounds: dict[str, int] = field(default_factory=dict)
    made: dict[str, NDArray[np.float64]] = field(default_factory=dict)


def sample_inputs(steps: Iterable[Step], shapes: Mapping[str, Shape], seed: int) -> Values:
    """Returns random float32 values for inputs of these shapes; equal seeds give equal values.

    By default an input is like an image minus its mean, normal with deviation DEVIATION. Labels, indices and markers
    are whole numbers below the least bound that a reader states. Regions lie within the image. Requirements also apply
    to inputs that reach the reader through Reshape, Slice and other layers that only pass values on.
    """
    needs = _needs(steps, shapes, np.random.default_rng([seed, 1]))
    random = np.random.default_rng(seed)
    return {name: _values(name, shape, needs, random).astype(np.float32) for name, shape in shapes.items()}


def _values(name: str, shape: Shape, needs: _Needs, random: np.random.Generator) -> NDArray[np.float64]:
    if name in needs.made:
        return needs.made[name].reshape(shape)
    if name in needs.bounds:
        return random.integers(0, max(needs.bounds[name], 1), shape).astype(np.float64)
    return random.normal(0, DEVIATION, shape)


def _needs(steps: Iterable[Step], shapes: Mapping[str, Shape], random: np.random.Generator) -> _Needs:
    needs = _Needs()
    origins = {name: _Origin(frozenset([name]), True) for name in shapes}
    for step in steps:
        for bottom, bound in step.layer.whole_numbers(*step.bottom_shapes).items():
            origin = origins.get(step.bottoms[bottom])
            for name in origin.inputs if origin else ():
                needs.bounds[name] = min(bound, needs.bounds.get(name, bound))
        for bottom, values in step.layer.sample_bottoms(random, *step.bottom_shapes).items():
            origin = origins.get(step.bottoms[bottom])
            if origin is not None and origin.in_order:
                needs.made |= dict.fromkeys(origin.inputs, values)
        _hand_on(step, origins)
    return needs


def _hand_on(step: Step, origins: dict[str, _Origin]) -> None:
    """Stores the origins of the step's tops; tops with newly computed values have none."""
    if not step.bottoms:
        return
    aside = step.layer.no_gradient_to if isinstance(step.layer.no_gradient_to, frozenset) else frozenset()
    read = [origins.get(bottom) for number, bottom in enumerate(step.bottoms) if number not in aside]
    names = frozenset(name for origin in read if origin is not None for name in origin.inputs)
    in_order = step.layer.hands_on == "in order" and all(origin is not None and origin.in_order for origin in read)
    for top in step.tops:
        origins.pop(top, None)
        if step.layer.hands_on and names:
            origins[top] = _Origin(names, in_order)


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

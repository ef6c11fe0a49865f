"""Makes random inputs with values that the net's layers can read: images, labels, indices or regions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from caffe_compat.graph.wiring import Step
from caffe_compat.layers.base import Shape

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

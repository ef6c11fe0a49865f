"""What every layer of a net gave in one run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from caffe_compat.errors import ShapeError
from caffe_compat.net.net import Net

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class LayerValue:
    """A top right after its layer ran, so that in-place layers are all seen."""

    layer: str
    type: str
    top: str
    value: Array


def trace(net: Net, inputs: Mapping[str, Array]) -> list[LayerValue]:
    """Fills the net's inputs, runs it layer by layer and copies every top. Splits are left out: they change nothing."""
    fill_inputs(net, inputs)
    values = []
    for index, step in enumerate(net.steps):
        net.forward_range(index, index)
        if step.layer.spec.type != "Split":
            values += [
                LayerValue(step.layer.name, step.layer.spec.type, top, np.array(net.blobs[top].data))
                for top in step.tops
            ]
    return values


def fill_inputs(net: Net, inputs: Mapping[str, Array]) -> None:
    """Puts arrays into the net's input blobs, which take their shapes."""
    missing = sorted(set(net.inputs) - set(inputs))
    if missing:
        raise ShapeError(f"net '{net.name}': expected values for the inputs {net.inputs}, missing {missing}")
    for name in net.inputs:
        net.blobs[name].reshape(*inputs[name].shape)
    net.reshape()
    for name in net.inputs:
        net.blobs[name].data[...] = inputs[name]


def random_inputs(net: Net, seed: int = 1) -> dict[str, Array]:
    """Inputs of the net's shapes that look like image data: BGR minus a mean, within about +-100."""
    generator = np.random.default_rng(seed)
    return {name: generator.normal(0, 50, net.blobs[name].shape).astype(np.float32) for name in net.inputs}

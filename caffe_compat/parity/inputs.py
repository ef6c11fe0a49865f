"""What a net is run on: files that the user gives, a recording's inputs, or random numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from caffe_compat.errors import DataError, FormatError, ShapeError
from caffe_compat.net.net import Net
from caffe_compat.parity.recording import Array
from caffe_compat.srn.prediction.released_input import net_input


def random_inputs(net: Net, seed: int = 1) -> dict[str, Array]:
    """Seeded inputs of the net's shapes: images less their mean (within about +-100), or whole numbers.

    Labels, indices and markers are whole numbers below the bounds that their readers state.
    """
    random = np.random.default_rng(seed)
    bounds = _bounds(net)
    inputs = {}
    for name in net.inputs:
        shape = net.blobs[name].shape
        values = random.integers(0, bounds[name], shape) if name in bounds else random.normal(0, 50, shape)
        inputs[name] = values.astype(np.float32)
    return inputs


def _bounds(net: Net) -> dict[str, int]:
    """The bound that the whole numbers of a blob lie below: the least that a reader of the blob states.

    A Split hands its bottom on, so what a reader says of a top of a Split is said of the bottom.
    """
    origin: dict[str, str] = {}
    bounds: dict[str, int] = {}
    for step in net.steps:
        if step.layer.spec.type == "Split":
            origin |= dict.fromkeys(step.tops, origin.get(step.bottoms[0], step.bottoms[0]))
            continue
        shapes = [net.blobs[name].shape for name in step.bottoms]
        for bottom, bound in step.layer.whole_numbers(*shapes).items():
            name = origin.get(step.bottoms[bottom], step.bottoms[bottom])
            bounds[name] = max(1, min(bound, bounds.get(name, bound)))
    return bounds


def given_inputs(net: Net, given: Sequence[str]) -> dict[str, Array]:
    """Reads `blob=file.npy` or `blob=picture.jpg`; the blob's name may be left out where the net has one input."""
    return dict(_given_input(net, text) for text in given)


def _given_input(net: Net, text: str) -> tuple[str, Array]:
    name, separator, file = text.partition("=")
    if not separator:
        if len(net.inputs) != 1:
            raise DataError(
                f"--input {text}: expected BLOB=FILE (the net's inputs are {', '.join(net.inputs)}), got no '='"
            )
        name, file = net.inputs[0], text
    if name not in net.inputs:
        raise DataError(
            f"--input {text}: the net has no input '{name}'; its inputs are {', '.join(net.inputs) or 'none'}"
        )
    values = _array(file) if Path(file).suffix == ".npy" else _picture(file, net.blobs[name].shape)
    if values.ndim == len(net.blobs[name].shape) - 1:
        values = values[None]
    return name, np.asarray(values, np.float32)


def _array(file: str) -> Array:
    try:
        return np.asarray(np.load(file, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise FormatError(f"{file}: expected an array that numpy.save wrote, found something else: {error}") from None


def _picture(file: str, shape: tuple[int, ...]) -> Array:
    """The picture as the released code feeds it, once for every item of the batch."""
    if len(shape) != 4 or shape[1] != 3:
        raise ShapeError(f"{file}: expected an input of (N, 3, height, width) for a picture, the net has {shape}")
    return np.stack([net_input(file, *shape[2:])] * shape[0])

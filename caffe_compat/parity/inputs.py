"""What a net is run on: files that the user gives, a recording's inputs, or random numbers."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from caffe_compat.errors import DataError, FormatError, ShapeError
from caffe_compat.net.net import Net
from caffe_compat.parity.recording import Array
from caffe_compat.srn.prediction.released_input import net_input

Random = np.random.Generator


def image_like(random: Random, shape: tuple[int, ...], classes: int) -> Array:
    """BGR minus a mean, within about +-100."""
    return random.normal(0, 50, shape)


def class_numbers(random: Random, shape: tuple[int, ...], classes: int) -> Array:
    """One class an item."""
    return random.integers(0, max(classes, 1), shape)


def zeros_and_ones(random: Random, shape: tuple[int, ...], classes: int) -> Array:
    """Present or not."""
    return random.integers(0, 2, shape)


#: What an input is that these layers read as their second bottom (Embed: as their only one).
LABELS: dict[str, Callable[[Random, tuple[int, ...], int], Array]] = {
    "Accuracy": class_numbers,
    "ContrastiveLoss": zeros_and_ones,
    "HingeLoss": class_numbers,
    "InfogainLoss": class_numbers,
    "MultinomialLogisticLoss": class_numbers,
    "SigmoidCrossEntropyLoss": zeros_and_ones,
    "SoftmaxWithLoss": class_numbers,
}


Maker = tuple[Callable[[Random, tuple[int, ...], int], Array], int]


def random_inputs(net: Net, seed: int = 1) -> dict[str, Array]:
    """Seeded inputs of the net's shapes: like images less their mean, or labels that its losses can read."""
    random = np.random.default_rng(seed)
    makers = _makers(net)
    inputs = {}
    for name in net.inputs:
        make, classes = makers.get(name, (image_like, 0))
        inputs[name] = make(random, net.blobs[name].shape, classes).astype(np.float32)
    return inputs


def _makers(net: Net) -> dict[str, Maker]:
    """How to fill the inputs that are labels, and for how many classes."""
    origin: dict[str, str] = {}
    makers: dict[str, Maker] = {}
    for step in net.steps:
        if step.layer.spec.type == "Split":
            origin |= dict.fromkeys(step.tops, origin.get(step.bottoms[0], step.bottoms[0]))
        elif step.layer.spec.type == "Embed":
            words = step.layer.spec.parameter.embed_param.input_dim
            makers[origin.get(step.bottoms[0], step.bottoms[0])] = class_numbers, words
        elif step.layer.spec.type in LABELS and len(step.bottoms) > 1:
            scores = net.blobs[step.bottoms[0]].shape
            label = origin.get(step.bottoms[-1 if step.layer.spec.type == "ContrastiveLoss" else 1], step.bottoms[1])
            makers[label] = LABELS[step.layer.spec.type], scores[1] if len(scores) > 1 else 1
    return makers


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

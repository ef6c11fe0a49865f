"""Checks the labels of the first batch of a training."""

from collections.abc import Iterator

import torch
from torch import Tensor

from caffe_compat.errors import DataError
from caffe_compat.graph.wiring import Wiring
from caffe_compat.layers.base import Layer
from caffe_compat.layers.data.base_data import PrefetchingData
from caffe_compat.net.net import Net

LOSS, LABEL = "SigmoidCrossEntropyLoss", 1  # and the position of its labels


def check_first_labels(net: Net) -> None:
    """Raise DataError if a batch has labels outside of 0 to 1 that go from a database into a SigmoidCrossEntropyLoss.

    A value that each of these losses ignores may occur. Other nets may compare with any numbers, such as those of an
    image.
    """
    wiring = Wiring.of_steps(net.steps)
    for number, step in enumerate(net.steps):
        if isinstance(step.layer, PrefetchingData):
            for position, labels in enumerate(step.layer.last_tops()):
                losses = list(_losses(net, wiring, (number, position)))
                if losses:
                    _check(net, step.layer, labels, losses)


def _losses(net: Net, wiring: Wiring, value: tuple[int, int]) -> Iterator[int]:
    """Yields the losses that compare with a value; none if layers with weights or other losses read it as well.

    A value that a layer with weights reads is not only a label: it may be an image that a net reconstructs.
    """
    found, waiting = [], [value]
    while waiting:
        current = waiting.pop()
        readers = wiring.uses[current]
        if not readers:
            return
        for reader in readers:
            layer = net.steps[reader].layer
            if layer.spec.type == LOSS:
                found += [reader] if wiring.sources[reader][LABEL] == current else []
            elif layer.is_loss or layer.blobs:
                return
            else:
                waiting.extend((reader, place) for place in range(len(net.steps[reader].tops)))
    yield from found


def _check(net: Net, layer: Layer, labels: Tensor, losses: list[int]) -> None:
    expected = (labels >= 0) & (labels <= 1)
    if any(step.layer.spec.type == "Threshold" for step in net.steps):  # masks -1 where no loss ignores a label
        expected |= labels == -1
    for loss in (net.steps[number].layer for number in losses):
        allowed = expected | _ignored(loss, labels)
        if not allowed.all():
            raise _wrong_label(layer, loss, labels, int((~allowed).flatten().nonzero()[0]))


def _ignored(loss: Layer, labels: Tensor) -> Tensor:
    """Which labels a loss leaves out; it rounds them towards zero first, as Caffe does."""
    ignored = getattr(loss, "ignore_label", None)
    return torch.zeros_like(labels, dtype=torch.bool) if ignored is None else labels.long() == ignored


def _wrong_label(layer: Layer, loss: Layer, labels: Tensor, place: int) -> DataError:
    image, label = divmod(place, max(1, labels[0].numel()))
    return DataError(
        f"{layer.spec}: expected labels from 0 to 1, with which {loss.spec} compares, found "
        f"{labels.flatten()[place]:g} as label {label} of record {image}; write the labels as 0 and 1, or unknown ones "
        "as -1 with loss_param { ignore_label: -1 } (generate --unknown-labels)"
    )

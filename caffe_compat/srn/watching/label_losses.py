"""Where a net compares scores with multi-label targets."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from caffe_compat.layers.loss.sigmoid_cross_entropy_loss import SigmoidCrossEntropyLoss
from caffe_compat.net.net import Net
from caffe_compat.proto.caffe_pb2 import LayerParameter


@dataclass(frozen=True)
class LabelLoss:
    """The blobs that one SigmoidCrossEntropyLoss compares; `name` is what the prototxt calls the scores."""

    layer: str
    name: str
    scores: str
    labels: str
    ignore_label: int | None

    def matrices(self, net: Net) -> tuple[Tensor, Tensor]:
        """Scores and labels of the last batch, each (images, classes), on the CPU; the net's engine must keep both.

        They are copies: the next batch may be written into the memory of this one.
        """
        blobs = (net.blobs[name].value.tensor().detach() for name in (self.scores, self.labels))
        scores, labels = (values.to("cpu", torch.float32, copy=True).reshape(len(values), -1) for values in blobs)
        return scores, labels


def find_label_losses(net: Net) -> list[LabelLoss]:
    """Every SigmoidCrossEntropyLoss of scores (N, classes ...), in the net's order."""
    return [
        LabelLoss(
            step.layer.name,
            _name_in_prototxt(net, step.bottoms[0]),
            step.bottoms[0],
            step.bottoms[1],
            step.layer.ignore_label,
        )
        for step in net.steps
        if isinstance(step.layer, SigmoidCrossEntropyLoss) and len(net.blobs[step.bottoms[0]].shape) > 1
    ]


def _name_in_prototxt(net: Net, blob: str) -> str:
    """The blob that an inserted Split copies; the blob itself where none does."""
    makers = {top: step for step in net.steps for top in step.tops}
    while blob in makers and makers[blob].layer.spec.type == "Split":
        blob = makers[blob].bottoms[0]
    return blob


def data_sources(layer: LayerParameter) -> Iterator[str]:
    """The database or list that a layer reads; nothing for a layer that reads no file."""
    for field in ("data_param", "image_data_param", "hdf5_data_param"):
        if layer.HasField(field) and getattr(layer, field).source:
            yield getattr(layer, field).source

"""Where a net compares scores with multi-label targets, and whether its first labels are labels."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from caffe_compat.errors import DataError
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


def check_labels(net: Net) -> None:
    """Raises DataError where a label of the last batch lies outside 0..1, as in databases that say 255 for 1."""
    for loss in find_label_losses(net):
        _, labels = loss.matrices(net)
        wrong = (labels < 0) | (labels > 1) | labels.isnan()
        if loss.ignore_label is not None:
            wrong &= labels.long() != loss.ignore_label
        if wrong.any():
            found = ", ".join(f"{value:g}" for value in sorted(set(labels[wrong].tolist()))[:3])
            blob = _name_in_prototxt(net, loss.labels)
            raise DataError(
                f"layer '{loss.layer}' (SigmoidCrossEntropyLoss): expected labels within 0..1 in blob '{blob}', "
                f"found {found} in the first batch{_source(net, blob)}; "
                "write the labels as 0 and 1, or give loss_param ignore_label where the value means unknown"
            )


def _name_in_prototxt(net: Net, blob: str) -> str:
    """The blob that an inserted Split copies; the blob itself where none does."""
    makers = {top: step for step in net.steps for top in step.tops}
    while blob in makers and makers[blob].layer.spec.type == "Split":
        blob = makers[blob].bottoms[0]
    return blob


def _source(net: Net, blob: str) -> str:
    """Which data a blob comes from, in words."""
    sources = (source for step in net.steps if blob in step.tops for source in data_sources(step.layer.spec.parameter))
    source = next(sources, "")
    return f", read from '{source}'" if source else ""


def data_sources(layer: LayerParameter) -> Iterator[str]:
    """The database or list that a layer reads; nothing for a layer that reads no file."""
    for field in ("data_param", "image_data_param", "hdf5_data_param"):
        if layer.HasField(field) and getattr(layer, field).source:
            yield getattr(layer, field).source

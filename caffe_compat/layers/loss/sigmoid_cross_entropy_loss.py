"""SigmoidCrossEntropyLoss (sigmoid_cross_entropy_loss_layer.cpp)."""

from torch import Tensor
from torch.nn import functional

from caffe_compat.layers.base import LayerSpec, LossLayer, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.loss.labels import label_like
from caffe_compat.layers.loss.normalizer import normalization_mode, normalizer
from caffe_compat.layers.registry import register_layer


@register_layer("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(LossLayer):
    """The sum of -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)) over the batch size.

    Targets t in [0, 1] are as many as scores x (N, ...). Divides by the batch size unless told otherwise.
    """

    known_to = BVLC_AND_SRN

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        loss = spec.params("loss_param")
        self.ignore_label = loss.ignore_label if loss.has("ignore_label") else None
        self.normalization = normalization_mode(loss, "BATCH_SIZE")

    def whole_numbers(self, *_bottom_shapes: Shape) -> dict[int, int]:
        return {1: 2}  # a label is present or not

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        targets = label_like(self.spec, scores, targets)
        terms = functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
        valid: Tensor | int = terms.numel()
        if self.ignore_label is not None:
            counted = targets.long() != self.ignore_label
            terms, valid = terms.masked_fill(~counted, 0), counted.sum()
        return terms.sum() / normalizer(self.normalization, terms.numel(), valid, terms.shape[0])

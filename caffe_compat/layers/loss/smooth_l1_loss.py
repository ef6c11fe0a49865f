"""SmoothL1Loss (smooth_L1_loss_layer.cu).

From rbgirshick/caffe-fast-rcnn.
"""

import torch
from torch import Tensor
from torch.nn import functional

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import LayerSpec, LossLayer, Shape, between
from caffe_compat.layers.caffes import SRN_FORK, Meaning
from caffe_compat.layers.registry import register_layer


@register_layer("SmoothL1Loss")
class SmoothL1Loss(LossLayer):
    """Sum of w_out f(w_in (a - b)) over N; f(d) is (sigma d)^2 / 2 if |d| < 1 / sigma^2, else |d| - 1 / (2 sigma^2).

    Bottoms, all of the same shape: a, b, then optionally w_in (Fast R-CNN, SSD) and w_out (Faster R-CNN).
    """

    known_to = (SRN_FORK,)
    meanings = (
        Meaning(
            "Fast and Faster R-CNN",
            "summed, divided by the number of items",
            "smooth_l1_loss_param",
        ),
        Meaning(
            "R-FCN",
            "divided by a given number",
            "loss_param { normalization: PRE_FIXED }",
            "refused",
        ),
    )
    bottoms = between(2, 4)
    no_gradient_to = frozenset({2, 3})
    leaves_out_gradient_to = no_gradient_to

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        sigma = spec.params("smooth_l1_loss_param").sigma
        if not sigma > 0:  # `sigma <= 0` would let NaN pass
            raise FieldError(f"{spec}: expected sigma above 0, got {sigma}")
        self.turn = 1 / sigma**2

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        for index, shape in enumerate(bottom_shapes):
            if shape != bottom_shapes[0]:
                raise ShapeError(
                    f"{self.spec}: expected bottoms of one shape, got {tuple(bottom_shapes[0])} for bottom 0 "
                    f"and {tuple(shape)} for bottom {index}"
                )
        return [()]

    def forward(self, prediction: Tensor, label: Tensor, *weights: Tensor) -> Tensor:
        self.top_shapes(*(bottom.shape for bottom in (prediction, label, *weights)))
        difference = prediction - label
        if weights:
            difference = difference * weights[0]
        errors = functional.smooth_l1_loss(difference, torch.zeros_like(difference), reduction="none", beta=self.turn)
        if len(weights) > 1:
            errors = errors * weights[1]
        return errors.sum() / prediction.shape[:1].numel()

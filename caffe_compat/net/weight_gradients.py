"""The gradients of a net's weights."""

import torch
from torch import Tensor, nn

from caffe_compat.net.blob import gradient_of


class WeightGradients:
    """Finds the gradient of each weight of one net.

    Normally it is the parameter's `grad`. For a weight borrowed from another net, this net has a gradient of its own
    (Blob::ShareData shares values only).
    """

    def __init__(self) -> None:
        self._apart: dict[nn.Parameter, Tensor | None] = {}  # None until the first request; test nets never ask

    def of(self, parameter: nn.Parameter) -> Tensor:
        """Returns the gradient of a weight; zeros if no backward pass has run."""
        if parameter not in self._apart:
            return gradient_of(parameter)
        gradient = self._apart[parameter]
        if gradient is None:
            gradient = self._apart[parameter] = torch.zeros_like(parameter.data)
        return gradient

    def hand_over(self, own: nn.Parameter, lent: nn.Parameter) -> None:
        """Keeps the gradient of `own` as this net's gradient of `lent`, the weight that replaces `own`."""
        self._apart[lent] = self._apart.pop(own) if own in self._apart else own.grad

    def move(self, device: torch.device) -> None:
        """Moves gradients of borrowed weights to another device; gradients that shared memory still share it."""
        moved: dict[int, Tensor] = {}
        for parameter, gradient in self._apart.items():
            if gradient is not None:
                there = moved.setdefault(gradient.data_ptr(), gradient.to(device))
                self._apart[parameter] = there.view(gradient.shape)

"""Where a net keeps the gradients of its weights."""

import torch
from torch import Tensor, nn

from caffe_compat.net.blob import gradient_of


class WeightGradients:
    """With each weight; but apart, of this net's own, for a weight that another net lends (Blob::ShareData)."""

    def __init__(self) -> None:
        self._apart: dict[nn.Parameter, Tensor | None] = {}  # None until someone asks, which a test net never does

    def of(self, parameter: nn.Parameter) -> Tensor:
        """The gradient, zeros where no backward has run."""
        if parameter not in self._apart:
            return gradient_of(parameter)
        gradient = self._apart[parameter]
        if gradient is None:
            gradient = self._apart[parameter] = torch.zeros_like(parameter.data)
        return gradient

    def hand_over(self, own: nn.Parameter, lent: nn.Parameter) -> None:
        """The gradient of `own` is the one of `lent` from now on, which comes in its place."""
        self._apart[lent] = self._apart.pop(own) if own in self._apart else own.grad

    def move(self, device: torch.device) -> None:
        """Puts those apart on another device; those that lie over one memory still do."""
        moved: dict[int, Tensor] = {}
        for parameter, gradient in self._apart.items():
            if gradient is not None:
                there = moved.setdefault(gradient.data_ptr(), gradient.to(device))
                self._apart[parameter] = there.view(gradient.shape)

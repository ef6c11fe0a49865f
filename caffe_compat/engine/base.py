"""What a solver or a program asks of a net that runs."""

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor

from caffe_compat.net.net import Net


class Engine(Protocol):
    """Runs one net. After a run the net's output blobs hold their values; the exact engine fills every blob."""

    net: Net

    def keep(self, blobs: Iterable[str]) -> None:
        """From the next run on, these blobs of the net hold their values too."""

    def forward(self) -> Tensor:
        """One pass; returns the weighted sum of the losses, shape (), on the net's device."""

    def forward_backward(self) -> Tensor:
        """One pass and its gradients, which are added to those of the learnable weights; returns the loss."""

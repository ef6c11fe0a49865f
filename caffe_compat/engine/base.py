"""The interface of engines, through which solvers and programs run a net."""

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor

from caffe_compat.net.net import Net


class Engine(Protocol):
    """Runs one net. After a run the net's output blobs hold their values; the exact engine fills every blob."""

    net: Net

    def keep(self, blobs: Iterable[str]) -> None:
        """Makes the next and later runs also store the values of these blobs."""

    def forward(self) -> Tensor:
        """Runs one forward pass; returns the weighted sum of the losses, shape (), on the net's device."""

    def forward_backward(self) -> Tensor:
        """Runs forward and backward; adds to the gradients of learnable weights and returns the loss, shape ()."""

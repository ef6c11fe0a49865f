"""The exact engine: runs layers one by one in float32; every blob is readable, and in-place layers overwrite blobs."""

from collections.abc import Iterable

from torch import Tensor

from caffe_compat.net.net import Net


class ExactEngine:
    """Runs all layers of a net in order, as Caffe does."""

    def __init__(self, net: Net) -> None:
        self.net = net

    def keep(self, blobs: Iterable[str]) -> None:
        """Does nothing, since every blob holds its values after a run."""

    def forward(self) -> Tensor:
        """Runs all layers; returns the weighted sum of the losses, shape ()."""
        return self.net.run_range(0, len(self.net.steps) - 1)

    def forward_backward(self) -> Tensor:
        """Runs all layers forward and then backward; returns the weighted sum of the losses, shape ()."""
        loss = self.forward()
        self.net.backward_range(len(self.net.steps) - 1, 0)
        return loss

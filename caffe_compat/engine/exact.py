"""The exact engine: every layer on its own, in float32, with every blob readable and in-place semantics kept."""

from collections.abc import Iterable

from torch import Tensor

from caffe_compat.net.net import Net


class ExactEngine:
    """Runs the net as Caffe does."""

    def __init__(self, net: Net) -> None:
        self.net = net

    def keep(self, blobs: Iterable[str]) -> None:
        """Nothing to do: every blob holds its values."""

    def forward(self) -> Tensor:
        """One pass over all layers."""
        return self.net.run_range(0, len(self.net.steps) - 1)

    def forward_backward(self) -> Tensor:
        """One pass and its backward."""
        loss = self.forward()
        self.net.backward_range(len(self.net.steps) - 1, 0)
        return loss

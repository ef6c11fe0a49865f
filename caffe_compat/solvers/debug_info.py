"""debug_info: the mean magnitude of every blob and weight while the net runs (Net::ForwardDebugInfo and others)."""

import logging
import math
from collections.abc import Iterable

import torch
from torch import Tensor

from caffe_compat.graph.wiring import Step
from caffe_compat.net.net import Net
from caffe_compat.net.weights import param_spec

logger = logging.getLogger("caffe_compat")


class LoggingEngine:
    """The exact engine, one layer at a time; logs a line for every blob that a layer computes."""

    def __init__(self, net: Net) -> None:
        self.net = net

    def keep(self, blobs: Iterable[str]) -> None:
        """Nothing to do: every blob holds its values."""

    def forward(self) -> Tensor:
        """One pass."""
        loss = torch.zeros((), device=self.net.device)
        for index, step in enumerate(self.net.steps):
            loss += self.net.run_range(index, index)
            self._log_forward(step)
        return loss

    def forward_backward(self) -> Tensor:
        """One pass and its gradients."""
        loss = self.forward()
        for index, step in reversed(list(enumerate(self.net.steps))):
            if step.needs_backward:
                self.net.backward_range(index, index)
                self._log_backward(step)
        self._log_norms()
        return loss

    def _log_forward(self, step: Step) -> None:
        name = step.layer.name
        for top in step.tops:
            value = self.net.blobs[top].value.tensor()
            logger.info("    [Forward] Layer %s, top blob %s data: %g", name, top, _magnitude(value))
        for index, blob in enumerate(step.layer.blobs):
            shown = param_spec(step.layer, index).name or index
            logger.info("    [Forward] Layer %s, param blob %s data: %g", name, shown, _magnitude(blob))

    def _log_backward(self, step: Step) -> None:
        name = step.layer.name
        for bottom, wanted in zip(step.bottoms, step.propagate_down, strict=True):
            if wanted:
                gradient = self.net.blobs[bottom].gradient.tensor()
                logger.info("    [Backward] Layer %s, bottom blob %s diff: %g", name, bottom, _magnitude(gradient))
        for index, (blob, wanted) in enumerate(zip(step.layer.blobs, step.weights_need, strict=True)):
            if wanted:
                gradient = self.net.gradients.of(blob)
                logger.info("    [Backward] Layer %s, param blob %d diff: %g", name, index, _magnitude(gradient))

    def _log_norms(self) -> None:
        owned = [learnable.parameter for learnable in self.net.learnable if not learnable.owner]
        weights, gradients = [weight.detach() for weight in owned], [self.net.gradients.of(weight) for weight in owned]
        logger.error(
            "    [Backward] All net params (data, diff): L1 norm = (%g, %g); L2 norm = (%g, %g)",
            *(_norm(tensors, order) for order in (1, 2) for tensors in (weights, gradients)),
        )


def _magnitude(values: Tensor) -> float:
    return float(values.detach().abs().mean()) if values.numel() else math.nan


def _norm(tensors: list[Tensor], order: int) -> float:
    return math.pow(sum(float(tensor.norm(order)) ** order for tensor in tensors), 1 / order)

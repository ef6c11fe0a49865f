"""Adam (adam_solver.cpp)."""

import numpy as np
import torch

from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.update_rules.registry import Update, UpdateRule, register_update_rule


@register_update_rule("Adam")
class Adam(UpdateRule):
    """m (history) and v (second history) decay by momentum and momentum2.

    w -= rate * sqrt(1 - momentum2 ^ t) / (1 - momentum ^ t) * m / (sqrt(v) + delta); delta comes after the root, and is
    not corrected, unlike in torch's Adam.
    """

    works_by_number = True
    histories = 2
    divides_by_size = True

    def __init__(self, solver: caffe_pb2.SolverParameter) -> None:
        super().__init__(solver)
        self.momentum2: float = solver.momentum2
        self.delta: float = solver.delta

    def __call__(self, update: Update) -> None:
        gradients = update.gradients
        torch._foreach_mul_(update.history, self.momentum)
        torch._foreach_add_(update.history, gradients, alpha=1.0 - self.momentum)
        torch._foreach_mul_(update.second_history, self.momentum2)
        torch._foreach_addcmul_(update.second_history, gradients, gradients, 1.0 - self.momentum2)
        scale = torch._foreach_sqrt(update.second_history)
        torch._foreach_add_(scale, self.delta)
        torch._foreach_copy_(gradients, update.history)
        torch._foreach_div_(gradients, scale)
        correction = self._correction(update.iteration + 1)
        torch._foreach_mul_(gradients, [rate * correction for rate in update.rates])

    def _correction(self, count: int) -> float:
        # In float32, as Caffe: 1 - momentum2 ^ t is a difference of close numbers.
        one, exponent = np.float32(1.0), np.float32(count)
        with np.errstate(all="ignore"):  # of decays outside of 0 to 1, as in Caffe
            second = np.sqrt(one - np.float32(self.momentum2) ** exponent)
            return float(second / (one - np.float32(self.momentum) ** exponent))

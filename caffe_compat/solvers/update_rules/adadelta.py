"""AdaDelta (adadelta_solver.cpp)."""

import torch

from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.update_rules.registry import Update, UpdateRule, register_update_rule


@register_update_rule("AdaDelta")
class AdaDelta(UpdateRule):
    """Running means of squared gradients (history) and squared steps (second history), both decayed by momentum.

    step = gradient * sqrt((steps + delta) / (gradients + delta)); w -= rate * step.
    """

    works_by_number = True
    histories = 2
    divides_by_size = True

    def __init__(self, solver: caffe_pb2.SolverParameter) -> None:
        super().__init__(solver)
        self.delta: float = solver.delta

    def __call__(self, update: Update) -> None:
        gradients, steps = update.gradients, update.second_history
        torch._foreach_mul_(update.history, self.momentum)
        torch._foreach_addcmul_(update.history, gradients, gradients, 1.0 - self.momentum)
        scale = torch._foreach_add(steps, self.delta)
        torch._foreach_div_(scale, torch._foreach_add(update.history, self.delta))
        torch._foreach_sqrt_(scale)
        torch._foreach_mul_(gradients, scale)
        torch._foreach_mul_(steps, self.momentum)
        torch._foreach_addcmul_(steps, gradients, gradients, 1.0 - self.momentum)
        torch._foreach_mul_(gradients, update.rates)

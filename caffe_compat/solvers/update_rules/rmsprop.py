"""RMSProp (rmsprop_solver.cpp)."""

import torch

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.update_rules.registry import Update, UpdateRule, refuse_momentum, register_update_rule


@register_update_rule("RMSProp")
class RMSProp(UpdateRule):
    """history = decay * history + (1 - decay) * gradient ^ 2; w -= rate * gradient / (sqrt(history) + delta)."""

    works_by_number = True
    divides_by_size = True

    def __init__(self, solver: caffe_pb2.SolverParameter) -> None:
        super().__init__(solver)
        refuse_momentum(solver)
        if not 0 <= solver.rms_decay < 1:
            raise SolverError(f"rms_decay should lie between 0 and 1, got {solver.rms_decay:g}")
        self.decay: float = solver.rms_decay
        self.delta: float = solver.delta

    def __call__(self, update: Update) -> None:
        torch._foreach_mul_(update.history, self.decay)
        torch._foreach_addcmul_(update.history, update.gradients, update.gradients, 1.0 - self.decay)
        scale = torch._foreach_sqrt(update.history)
        torch._foreach_add_(scale, self.delta)
        torch._foreach_div_(update.gradients, scale)
        torch._foreach_mul_(update.gradients, update.rates)

"""AdaGrad (adagrad_solver.cpp)."""

import torch

from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.update_rules.registry import Update, UpdateRule, refuse_momentum, register_update_rule


@register_update_rule("AdaGrad")
class AdaGrad(UpdateRule):
    """history += gradient ^ 2; w -= rate * gradient / (sqrt(history) + delta)."""

    works_by_number = True
    divides_by_size = True

    def __init__(self, solver: caffe_pb2.SolverParameter) -> None:
        super().__init__(solver)
        refuse_momentum(solver)
        self.delta: float = solver.delta

    def __call__(self, update: Update) -> None:
        torch._foreach_addcmul_(update.history, update.gradients, update.gradients)
        scale = torch._foreach_sqrt(update.history)
        torch._foreach_add_(scale, self.delta)
        torch._foreach_div_(update.gradients, scale)
        torch._foreach_mul_(update.gradients, update.rates)

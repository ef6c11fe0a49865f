"""AdaGrad (adagrad_solver.cpp)."""

import torch

from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.update_rules.update import Update, refuse_momentum


class AdaGrad:
    """history += gradient ^ 2; w -= rate * gradient / (sqrt(history) + delta)."""

    histories = 1

    def __init__(self, solver: caffe_pb2.SolverParameter) -> None:
        refuse_momentum(solver)
        self.delta = solver.delta

    def __call__(self, update: Update) -> None:
        torch._foreach_addcmul_(update.history, update.gradients, update.gradients)
        scale = torch._foreach_sqrt(update.history)
        torch._foreach_add_(scale, self.delta)
        torch._foreach_div_(update.gradients, scale)
        torch._foreach_mul_(update.gradients, update.rates)

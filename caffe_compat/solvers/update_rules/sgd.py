"""Stochastic gradient descent with momentum (sgd_solver.cpp)."""

import torch

from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.update_rules.update import Update


class SGD:
    """history = momentum * history + rate * gradient; w -= history. The rate is in the history, unlike torch's SGD."""

    histories = 1

    def __init__(self, solver: caffe_pb2.SolverParameter) -> None:
        self.momentum = solver.momentum

    def __call__(self, update: Update) -> None:
        torch._foreach_mul_(update.gradients, update.rates)
        torch._foreach_mul_(update.history, self.momentum)
        torch._foreach_add_(update.history, update.gradients)
        torch._foreach_copy_(update.gradients, update.history)

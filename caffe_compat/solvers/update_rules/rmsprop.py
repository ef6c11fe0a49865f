"""RMSProp (rmsprop_solver.cpp)."""

import torch

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.update_rules.update import Update, refuse_momentum


class RMSProp:
    """history = decay * history + (1 - decay) * gradient ^ 2; w -= rate * gradient / (sqrt(history) + delta)."""

    histories = 1

    def __init__(self, solver: caffe_pb2.SolverParameter) -> None:
        refuse_momentum(solver)
        if not 0 <= solver.rms_decay < 1:
            raise SolverError(f"rms_decay should lie between 0 and 1, got {solver.rms_decay:g}")
        self.decay = solver.rms_decay
        self.delta = solver.delta

    def __call__(self, update: Update) -> None:
        torch._foreach_mul_(update.history, self.decay)
        torch._foreach_addcmul_(update.history, update.gradients, update.gradients, 1.0 - self.decay)
        scale = torch._foreach_sqrt(update.history)
        torch._foreach_add_(scale, self.delta)
        torch._foreach_div_(update.gradients, scale)
        torch._foreach_mul_(update.gradients, update.rates)

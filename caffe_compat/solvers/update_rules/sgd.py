"""Stochastic gradient descent with momentum (sgd_solver.cpp)."""

import torch

from caffe_compat.solvers.update_rules.registry import Update, UpdateRule, register_update_rule


@register_update_rule("SGD")
class SGD(UpdateRule):
    """history = momentum * history + rate * gradient; w -= history. The rate is in the history, unlike torch's SGD."""

    works_by_number = True

    def __call__(self, update: Update) -> None:
        torch._foreach_mul_(update.gradients, update.rates)
        torch._foreach_mul_(update.history, self.momentum)
        torch._foreach_add_(update.history, update.gradients)
        torch._foreach_copy_(update.gradients, update.history)

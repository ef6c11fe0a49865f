"""Nesterov's accelerated gradient (nesterov_solver.cpp)."""

import torch

from caffe_compat.solvers.update_rules.registry import Update, UpdateRule, register_update_rule


@register_update_rule("Nesterov")
class Nesterov(UpdateRule):
    """history' = momentum * history + rate * gradient; w -= (1 + momentum) * history' - momentum * history."""

    works_by_number = True

    def __call__(self, update: Update) -> None:
        step_back = torch._foreach_mul(update.history, -self.momentum)
        torch._foreach_mul_(update.gradients, update.rates)
        torch._foreach_mul_(update.history, self.momentum)
        torch._foreach_add_(update.history, update.gradients)
        torch._foreach_copy_(update.gradients, step_back)
        torch._foreach_add_(update.gradients, update.history, alpha=1.0 + self.momentum)

"""Stochastic gradient descent with momentum (sgd_solver.cpp)."""

import math
from collections import defaultdict

import torch

from caffe_compat.solvers.update_rules.registry import Update, UpdateRule, numbers_of, register_update_rule

#: torch's kernel for its own SGD; torch does not document it.
KERNEL = "_fused_sgd_"


@register_update_rule("SGD")
class SGD(UpdateRule):
    """history = momentum * history + rate * gradient; w -= history. The rate is in the history, unlike torch's SGD."""

    works_by_number = True

    def __call__(self, update: Update) -> None:
        torch._foreach_mul_(update.gradients, update.rates)
        torch._foreach_mul_(update.history, self.momentum)
        torch._foreach_add_(update.history, update.gradients)
        torch._foreach_copy_(update.gradients, update.history)

    def move(self, update: Update) -> Update:
        """Uses the kernel of torch's SGD, whose dampening is here 1 - rate: the history then includes the rate."""
        if not self.momentum or not hasattr(torch, KERNEL):  # without momentum the kernel keeps no history
            return update
        kinds: defaultdict[tuple[float, float], list[int]] = defaultdict(list)
        others: list[int] = []
        for index, kind in enumerate(zip(update.rates, update.decays, strict=True)):
            fits = _is_exact(kind[0]) and update.lies_alike(index)
            (kinds[kind] if fits else others).append(index)
        for (rate, decay), members in kinds.items():
            self._move_alike(update.of(members), rate, decay)
        return update.of(others)

    def _move_alike(self, update: Update, rate: float, decay: float) -> None:
        flat = update.with_tensors(lambda tensors: [numbers_of(tensor) for tensor in tensors])
        torch._fused_sgd_(
            flat.weights,
            flat.gradients,
            flat.history,
            weight_decay=decay,
            momentum=self.momentum,
            lr=1.0,
            dampening=1.0 - rate,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )
        # The kernel does not count its write; caches of folded weights compare the count.
        torch.autograd.graph.increment_version(update.weights)


def _is_exact(rate: float) -> bool:
    """Whether 1 - rate keeps the digits of the rate that float32 has; not if the rate is almost 0."""
    return math.isclose(1.0 - (1.0 - rate), rate, rel_tol=1e-8)

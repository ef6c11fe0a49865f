"""The fast engine: runs the net as a graph that passes have rewritten, and keeps only requested blobs."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from caffe_compat.engine.passes.channels_last import channels_last, lay_out_weights
from caffe_compat.engine.passes.drop_splits import drop_splits
from caffe_compat.engine.passes.drop_unneeded import drop_unneeded
from caffe_compat.engine.passes.fold_normalization import fold_normalization
from caffe_compat.engine.passes.fuse_normalization import fuse_normalization
from caffe_compat.engine.passes.pack_convolutions import pack_convolutions
from caffe_compat.engine.passes.relu_in_place import relu_in_place
from caffe_compat.engine.plan import HALF, Plan, Values, innermost_channels, plan_steps, run_plan
from caffe_compat.net.gradients import require_possible
from caffe_compat.net.net import Net

#: Applied in this order, since each pass matches patterns that earlier passes leave.
PASSES: tuple[Callable[[Plan], Plan], ...] = (
    drop_splits,
    drop_unneeded,
    fold_normalization,
    fuse_normalization,
    pack_convolutions,
    relu_in_place,
    channels_last,
)


def rewrite_plan(plan: Plan) -> Plan:
    """Returns the plan after all passes."""
    for rewrite in PASSES:
        plan = rewrite(plan)
    return plan


def chosen_kernels(device: torch.device) -> AbstractContextManager[None]:
    """Returns a context in which cuDNN measures its kernels for each new size and keeps the fastest, on a GPU only.

    The batches of a net mostly have one size. Nothing is measured if torch asks for deterministic kernels.
    """
    if device.type != "cuda":
        return nullcontext()
    cudnn = torch.backends.cudnn
    fixed = cudnn.deterministic
    flags: AbstractContextManager[None] = cudnn.flags(
        cudnn.enabled, not fixed, deterministic=fixed, allow_tf32=cudnn.allow_tf32
    )
    return flags


class FastEngine:
    """Runs a plan of the net; after a run the requested blobs hold their values.

    `requested` None means the net's outputs and its losses. Otherwise only layers that lead to the requested blobs
    run, and the returned loss is 0.
    """

    def __init__(
        self,
        net: Net,
        requested: Iterable[str] | None = None,
        precision: torch.dtype = torch.float32,
        lays_out_weights: bool = True,
    ) -> None:
        self.net = net
        self.precision = precision
        self._requested = requested if requested is None else tuple(requested)
        self._kept: tuple[str, ...] = ()
        if lays_out_weights:
            lay_out_weights(net)

    def keep(self, blobs: Iterable[str]) -> None:
        """Makes the next and later runs also store these blobs, and run the layers that lead to them."""
        self._kept = tuple(blobs)
        for name in ("plan", "learning_plan"):
            self.__dict__.pop(name, None)

    @cached_property
    def plan(self) -> Plan:
        """The plan of a forward pass without backward."""
        return self._planned(learns=False)

    @cached_property
    def learning_plan(self) -> Plan:
        """The plan of a forward pass that a backward pass follows."""
        return self._planned(learns=True)

    def _planned(self, learns: bool) -> Plan:
        requested = self.net.outputs if self._requested is None else self._requested
        plan = plan_steps(self.net.steps, [*requested, *self._kept], learns)
        return rewrite_plan(plan if self._requested is None else replace(plan, losses=()))

    def forward(self) -> Tensor:
        """Runs one forward pass without an autograd graph; returns the loss, shape ()."""
        with torch.no_grad(), chosen_kernels(self.net.device):
            return self._run(self.plan)

    def forward_backward(self) -> Tensor:
        """Runs forward and backward; adds to the gradients of learnable weights and returns the loss, shape ()."""
        for step in self.net.steps:
            if step.needs_backward:
                require_possible(step.layer, step.propagate_down)
        with chosen_kernels(self.net.device):
            loss = self._run(self.learning_plan)
            if loss.requires_grad:
                loss.backward()
        return loss.detach()

    def _run(self, plan: Plan) -> Tensor:
        with torch.autocast(self.net.device.type, enabled=False):  # the engine sets the precision, not the caller
            return self._run_as_planned(plan)

    def _run_as_planned(self, plan: Plan) -> Tensor:
        self.net.flush()
        values: Values = {
            value: innermost_channels(self.net.blobs[blob].value.snapshot()) for value, blob in plan.feeds.items()
        }
        learning = torch.is_grad_enabled()

        def around(learns: bool, is_loss: bool) -> ExitStack:
            stack = ExitStack()
            stack.enter_context(torch.set_grad_enabled(learning and learns))
            stack.enter_context(self._autocast(is_loss))
            return stack

        run_plan(plan, values, around)
        for blob, value in plan.results.items():
            result = values[value]
            self.net.blobs[blob].assign(result.float() if result.dtype in HALF else result)
        return self._loss(plan, values)

    def _autocast(self, is_loss: bool) -> AbstractContextManager[object]:
        """Returns autocast for lower precision of matrix products and convolutions; losses always get float32.

        Weights in lower precision are not kept: they would take half of the weights' memory until the context ends.
        """
        if self.precision == torch.float32 or is_loss:
            return nullcontext()
        return torch.autocast(self.net.device.type, self.precision, cache_enabled=False)

    def _loss(self, plan: Plan, values: Values) -> Tensor:
        terms = [weight * values[value].sum() for value, weight in plan.losses]
        return torch.stack(terms).sum() if terms else torch.zeros((), device=self.net.device)

"""The fast engine: runs the net as a graph that passes have rewritten, and keeps only requested blobs.

LazyForward runs such an engine for pycaffe, and computes blobs between input and output only when they are read.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from functools import cached_property
from itertools import chain
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from caffe_compat.engine.passes.channels_last import channels_last, lay_out_weights
from caffe_compat.engine.passes.drop_unneeded import drop_unneeded
from caffe_compat.engine.passes.fold_normalization import fold_normalization
from caffe_compat.engine.passes.fuse_normalization import fuse_normalization
from caffe_compat.engine.passes.in_place import in_place
from caffe_compat.engine.passes.keep_features import FeatureStore, keep_features
from caffe_compat.engine.passes.pack_convolutions import pack_convolutions
from caffe_compat.engine.passes.share_bottoms import share_bottoms
from caffe_compat.engine.plan import Operation, Plan, plan_steps
from caffe_compat.graph.wiring import Step
from caffe_compat.layers.base import HALF, as_tuple, innermost_channels
from caffe_compat.layers.new_blobs import refuse_lack_of_memory
from caffe_compat.net.blob import SyncedTensor
from caffe_compat.net.gradients import require_possible
from caffe_compat.net.net import Net
from caffe_compat.net.settings import exact_arithmetic

Values = dict[str, Tensor]

#: Returns the context in which operations run, by whether they learn and whether they are losses: precision, and
#: whether autograd records.
Around = Callable[[bool, bool], AbstractContextManager[object]]

#: Applied in this order, since each pass matches patterns that earlier passes leave.
PASSES: tuple[Callable[[Plan], Plan], ...] = (
    drop_unneeded,
    fold_normalization,
    fuse_normalization,
    pack_convolutions,
    share_bottoms,
    in_place,
    channels_last,
)


def rewrite_plan(plan: Plan) -> Plan:
    """Returns the plan after all passes."""
    for rewrite in PASSES:
        plan = rewrite(plan)
    return plan


def run_plan(plan: Plan, values: Values, around: Around) -> None:
    """Runs the operations in order, updates `values`, and removes values that no later operation needs.

    Neighbours of one kind share a context, which takes a few microseconds to enter.
    """
    for stretch in plan.stretches:
        with around(stretch.learns, stretch.is_loss):
            for operation, gone in stretch.operations:
                _execute(operation, values, stretch.is_loss)
                for value in gone:
                    values.pop(value, None)


def _execute(operation: Operation, values: Values, is_loss: bool) -> None:
    bottoms = [values[value] for value in operation.inputs]
    if is_loss:
        bottoms = [bottom.float() if bottom.dtype in HALF else bottom for bottom in bottoms]
    try:
        results = as_tuple(operation.run(*bottoms))
    except RuntimeError as error:
        refuse_lack_of_memory(error, operation.layer.spec.parameter)
        raise
    values.update(zip(operation.outputs, results, strict=True))


def _run_fixed(part: Plan, values: Values) -> None:
    """Runs a part of a plan in the context that is there."""
    run_plan(part, values, lambda learns, is_loss: nullcontext())


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

    @property
    def finds_gradients(self) -> bool:
        """Whether there is a loss and a weight that learns; force_backward alone gives no gradient here."""
        return bool(self.learning_plan.losses) and any(step.learning for step in self.net.steps)

    def keep(self, blobs: Iterable[str]) -> None:
        """Makes the next and later runs also store these blobs, and run the layers that lead to them."""
        self._kept = tuple(blobs)
        for name in ("plan", "learning_plan"):
            self.__dict__.pop(name, None)

    def keep_features(self, store: FeatureStore) -> bool:
        """Makes passes that backward follows read the features of known images from the store.

        Returns False if no layers with weights are fixed below the lowest learning one; nothing changes then.
        """
        plan = keep_features(self.learning_plan, store, _run_fixed)
        if plan is not None:
            self.__dict__["learning_plan"] = plan
        return plan is not None

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


class LazyForward:
    """Runs a whole net by an engine that fuses layers, and keeps the inputs to compute inner blobs later.

    Inner blobs read later are exact: computed layer by layer from the inputs and weights of the run. The net's outputs
    differ from exact ones by rounding.
    """

    def __init__(self, net: Net, run: Callable[[], Tensor]) -> None:
        """`run` is the `forward` of an engine of this net."""
        self._net = net
        self._run = run
        self._settle: Callable[[], None] = _nothing
        # The shapes that all blobs match: until the first run, those with which the net was built.
        self._shapes = [shape for step in net.steps if step.layer.is_input for shape in step.top_shapes]
        self._suits = _suits(net)
        shown = {*net.inputs, *net.outputs}
        self._inner = [blob.value for name, blob in net.blobs.items() if name not in shown]

    def allows(self) -> bool:
        """Whether a fast run now cannot be told from an exact one, apart from rounding.

        This holds if there are no hooks, input shapes are unchanged, and no user holds an array of an inner blob or
        weight.
        """
        net = self._net
        return (
            self._suits
            and not (net.forward_hooks.before or net.forward_hooks.after)
            and self._shapes == self._input_shapes()
            and not any(value.is_looked_at for value in self._inner)
            and not any(blob.is_held for blobs in net.params.values() for blob in blobs)
        )

    def forward(self) -> Tensor:
        """Runs one forward pass; returns the weighted sum of the losses, shape (), on the net's device."""
        net = self._net
        inputs = {name: net.blobs[name].value.snapshot() for name in net.inputs}
        loss = self._run()
        shown = {*net.inputs, *net.outputs}
        later = _Later(net.steps, inputs, {name: b.value for name, b in net.blobs.items() if name not in shown})
        for value in self._inner:
            value.pending = later
        for blobs in net.params.values():
            for blob in blobs:
                blob.before_access = later
        self._settle = later
        return loss

    def settle(self) -> None:
        """Computes the inner blobs that the last run skipped; called before inputs or weights change."""
        self._settle()
        self._settle = _nothing

    def note_shapes(self) -> None:
        """Records the inputs' shapes, which now match all blobs: called after an exact run or a reshape."""
        self._shapes = self._input_shapes()

    def _input_shapes(self) -> list[tuple[int, ...]]:
        return [self._net.blobs[name].shape for name in self._net.inputs]


def _nothing() -> None:
    pass


def _suits(net: Net) -> bool:
    """Whether layers may run later, or twice, without a visible difference."""
    writes_inputs = any(top in net.inputs for step in net.steps if not step.layer.is_input for top in step.tops)
    return (
        net.phase == "TEST"
        and not writes_inputs
        and not net.parameter.debug_info
        and all(step.layer.is_input or _is_pure(step) for step in net.steps)
    )


def _is_pure(step: Step) -> bool:
    return bool(step.bottoms) and step.layer.is_pure() and not step.needs_backward and step.layer.phase == "TEST"


class _Later:
    """Computes inner blobs from the inputs of a run.

    Holds the layers and not the net, because a user may keep a blob longer than its net.
    """

    def __init__(self, steps: list[Step], inputs: Mapping[str, Tensor], inner: Mapping[str, SyncedTensor]) -> None:
        self._steps = steps
        self._values = dict(inputs)
        self._inner = WeakValueDictionary(inner)
        self._is_done = False

    def __call__(self) -> None:
        if self._is_done:
            return
        self._is_done = True
        wanted = {name: value for name, value in self._inner.items() if value.pending is self}
        for value in wanted.values():
            value.pending = None
        weights = (blob for step in self._steps for blob in step.layer.blobs)
        device = next((tensor.device for tensor in chain(self._values.values(), weights)), torch.device("cpu"))
        with torch.no_grad(), exact_arithmetic(device):
            self._run(wanted)
        self._values.clear()

    def _run(self, wanted: Mapping[str, SyncedTensor]) -> None:
        for step in self._steps:
            if step.layer.is_input:
                continue
            tops = as_tuple(step.layer(*(self._values[bottom] for bottom in step.bottoms)))
            self._values.update(zip(step.tops, tops, strict=True))
        for name, value in wanted.items():
            value.assign(self._values[name])

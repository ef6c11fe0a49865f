"""Net: runs layers one by one in file order over named blobs; every blob is readable (the exact engine)."""

import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from caffe_compat.errors import GraphError
from caffe_compat.graph.wiring import Step, find_outputs
from caffe_compat.layers.base import as_tuple
from caffe_compat.layers.new_blobs import refuse_lack_of_memory
from caffe_compat.net.blob import Blob, ParameterBlob
from caffe_compat.net.gradients import Needs, WeightGradients, gradient_like, require_possible
from caffe_compat.net.settings import exact_arithmetic
from caffe_compat.net.weights import LearnableParameter, blobs_of, copy_blobs, refuse_lost_scales, warn_of_other_net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import LayerBlobs
from caffe_compat.proto.write import write_weights

LayerHook = Callable[[int], object]


@dataclass
class Hooks:
    """The functions called around each layer in one direction (forward or backward), in the order of addition."""

    before: list[LayerHook] = field(default_factory=list)
    after: list[LayerHook] = field(default_factory=list)

    @contextmanager
    def around(self, layer: int) -> Iterator[None]:
        """Calls `before`, runs the `with` block, then calls `after`; each function gets the layer's index."""
        for hook in self.before:
            hook(layer)
        yield
        for hook in self.after:
            hook(layer)


logger = logging.getLogger("caffe_compat")


class Net(nn.Module):
    """A graph of Caffe layers, made by `caffe_compat.net.build.build_net`."""

    def __init__(
        self,
        parameter: caffe_pb2.NetParameter,
        steps: list[Step],
        blobs: "OrderedDict[str, Blob]",
        learnable: list[LearnableParameter],
        device: torch.device,
    ) -> None:
        super().__init__()
        self.parameter = parameter
        self.steps = steps
        self.blobs = blobs
        self.learnable = learnable
        self.device = device
        self.layer_modules = nn.ModuleList([step.layer for step in steps])
        self.gradients = WeightGradients()
        self.params: OrderedDict[str, list[ParameterBlob]] = _parameter_blobs(steps, self.gradients)
        self.blob_loss_weights = OrderedDict((name, 0.0) for name in blobs) | OrderedDict(
            (top, weight) for step in steps for top, weight in zip(step.tops, step.loss_weights, strict=True)
        )
        self.inputs = [top for step in steps if step.layer.is_input for top in step.tops]
        self.outputs = find_outputs(steps)
        self._grown: set[str] = set()  # tops with a loss weight that outgrew the size they were built with
        self.forward_hooks = Hooks()
        self.backward_hooks = Hooks()
        self._last_run: list[Step] = []  # at most one; a list, since setting a module's attribute takes torch 5 µs

    # -- what is in it

    @property
    def name(self) -> str:
        return str(self.parameter.name)

    @property
    def phase(self) -> str:
        return caffe_pb2.Phase.Name(self.parameter.state.phase)

    @property
    def layer_names(self) -> list[str]:
        return [step.layer.name for step in self.steps]

    def step_of(self, layer: str) -> Step:
        """Returns the first step whose layer has this name; GraphError if there is none."""
        for step in self.steps:
            if step.layer.name == layer:
                return step
        raise GraphError(f"net '{self.name}' has no layer '{layer}'")

    # -- running

    def apply_needs(self, needs: Needs) -> None:
        """Stores in each step where backward goes; turns `requires_grad` off for weights that do not learn."""
        for index, step in enumerate(self.steps):
            step.needs_backward = needs.layer[index]
            step.propagate_down = needs.bottoms[index]
            step.weights_need = needs.weights[index]
        self.mark_learning()

    def mark_learning(self) -> None:
        """Turns `requires_grad` on for the weights that learn, and off for all others."""
        learning = {id(blob) for step in self.steps for blob in step.learning}
        for parameter in self.parameters():
            parameter.requires_grad_(id(parameter) in learning)

    def forward_range(self, start: int, end: int) -> float:
        """Runs layers start to end, both included; returns the weighted sum of their losses."""
        losses = self._losses_of(start, end)
        return float(torch.stack(losses).sum()) if losses else 0.0

    def run_range(self, start: int, end: int) -> Tensor:
        """Runs layers start to end like `forward_range`; returns the loss as a tensor, shape (), on the net's device.

        The tensor stays on the device, so a GPU run does not wait for its result.
        """
        losses = self._losses_of(start, end)
        return torch.stack(losses).sum() if losses else torch.zeros((), device=self.device)

    def _losses_of(self, start: int, end: int) -> list[Tensor]:
        """Runs layers start to end; returns their weighted losses."""
        self._require_layers(start, end)
        self.flush(start, end)
        losses = []
        for index in range(start, end + 1):
            with self.forward_hooks.around(index), exact_arithmetic(self.device):
                losses += self._forward_step(self.steps[index])
        return losses

    def _require_layers(self, first: int, last: int) -> None:
        if first < 0 or last >= len(self.steps):
            raise GraphError(
                f"net '{self.name}': expected layers from 0 to {len(self.steps) - 1}, got {first} to {last}"
            )

    def _forward_step(self, step: Step) -> list[Tensor]:
        self._let_go_of_last_run()
        step.outputs = []
        if step.layer.is_input:
            return []
        self._run(step)
        self._last_run.append(step)
        losses = []
        for top, output, weight in zip(step.tops, step.outputs, step.loss_weights, strict=True):
            blob = self.blobs[top]
            reshaped = blob.shape != tuple(output.shape)
            blob.assign(output)
            if weight:
                losses.append(weight * output.detach().float().sum())
                if reshaped:
                    self._warn_of_growth(step, top)
                    blob.gradient.assign(torch.full_like(output, weight))
        return losses

    def _let_go_of_last_run(self) -> None:
        """Frees what backward does not need: the next layer in place then gets memory that is still in the cache."""
        while self._last_run:
            step = self._last_run.pop()
            if not step.needs_backward:
                step.inputs, step.outputs = [], []

    def _run(self, step: Step) -> None:
        step.inputs = [
            self.blobs[bottom].value.snapshot().requires_grad_(step.needs_backward and wanted)
            for bottom, wanted in zip(step.bottoms, step.propagate_down, strict=True)
        ]
        try:
            with torch.set_grad_enabled(step.needs_backward):
                step.outputs = list(as_tuple(step.layer(*step.inputs)))
        except RuntimeError as error:
            refuse_lack_of_memory(error, step.layer.spec.parameter)
            raise

    def backward_range(self, start: int, end: int) -> None:
        """Runs backward from layer start down to layer end, both included.

        Adds to the gradients of weights; replaces the gradients of blobs.
        """
        self._require_layers(end, start)
        self.flush(end, start)
        for index in range(start, end - 1, -1):
            with self.backward_hooks.around(index), exact_arithmetic(self.device):
                if self.steps[index].needs_backward:
                    self._backward_step(self.steps[index])

    def _backward_step(self, step: Step) -> None:
        if step.layer.is_input:
            return
        if len(step.inputs) < len(step.bottoms) or len(step.outputs) < len(step.tops):
            self._run(step)  # Caffe runs backward without a forward too, on what the bottoms hold.
        require_possible(step.layer, step.propagate_down)
        weights = list(dict.fromkeys(step.learning))  # a layer may share a weight with itself
        bottoms = [value for value in step.inputs if value.requires_grad]
        targets = [*bottoms, *(weight for weight in weights if weight.requires_grad)]
        gradients = dict(zip(map(id, targets), self._gradients(step, targets), strict=True))
        for name, value in zip(step.bottoms, step.inputs, strict=True):
            if value.requires_grad:
                self.blobs[name].gradient.assign(gradients[id(value)])
        for weight in weights:
            if id(weight) in gradients:
                self.gradients.of(weight).add_(gradients[id(weight)])

    def _gradients(self, step: Step, targets: Sequence[Tensor]) -> list[Tensor]:
        tops = [
            (output, gradient_like(step.layer, top, output, self.blobs[top].gradient.tensor()))
            for output, top in zip(step.outputs, step.tops, strict=True)
            if output.requires_grad
        ]
        if not targets:
            return []
        if not tops:
            return [torch.zeros_like(target) for target in targets]
        outputs, differences = zip(*tops, strict=True)
        found = torch.autograd.grad(outputs, targets, differences, retain_graph=True, allow_unused=True)
        return [torch.zeros_like(t) if g is None else g for g, t in zip(found, targets, strict=True)]

    def flush(self, first: int = 0, last: int | None = None) -> None:
        """Copies weights of layers `first` to `last`, both included, from the host to the device if written there.

        Every function that reads or changes weights on the device calls `flush` first. On a CPU there is only one copy.
        """
        if self.device.type == "cpu":
            return
        for step in self.steps[first : len(self.steps) if last is None else last + 1]:
            for blob in self.params.get(step.layer.name, ()):
                blob.flush()

    def learnable_gradients(self) -> list[Tensor]:
        """Returns the gradient of each learnable weight, in the order of `learnable`."""
        return [self.gradients.of(learnable.parameter) for learnable in self.learnable]

    def existing_gradients(self) -> list[Tensor]:
        """Returns the gradients of learnable weights that a backward pass has reached; those of all others are zero."""
        found = (self.gradients.existing(learnable.parameter) for learnable in self.learnable)
        return [gradient for gradient in found if gradient is not None]

    def clear_parameter_gradients(self) -> None:
        """Sets the gradients of all learnable weights to zero."""
        self.flush()
        forgotten = (self.gradients.forget(learnable.parameter) for learnable in self.learnable)
        kept = [gradient for gradient in forgotten if gradient is not None]
        if kept:
            torch._foreach_zero_(kept)

    # -- shapes

    def reshape(self) -> None:
        """Sets the shapes of all blobs to those that follow from the inputs' shapes."""
        for step in self.steps:
            if not step.layer.is_input:
                self.shape_tops(step)

    def shape_tops(self, step: Step) -> None:
        """Sets the shapes of one layer's tops to those that follow from its bottoms."""
        shapes = step.layer.top_shapes(*(self.blobs[bottom].shape for bottom in step.bottoms))
        for top, shape, weight in zip(step.tops, shapes, step.loss_weights, strict=True):
            self.blobs[top].reshape(*shape)
            if weight:
                self._warn_of_growth(step, top)
                self.blobs[top].gradient.assign(torch.full(shape, weight, device=self.device))

    def _warn_of_growth(self, step: Step, top: str) -> None:
        """Caffe keeps a loss weight in the top's diff, which it allocates anew, with zeros, when the top grows."""
        built, now = step.top_shapes[step.tops.index(top)], self.blobs[top].shape
        if top not in self._grown and math.prod(now) > math.prod(built):
            self._grown.add(top)
            logger.warning(
                "%s: top '%s' has grown from %s to %s: Caffe loses its loss_weight then, so that its loss and gradient "
                "are 0; here they are not (docs/parity.md)", step.layer.spec, top, built, now
            )  # fmt: skip

    # -- weights

    def copy_layers(self, sources: Sequence[LayerBlobs], file: str) -> list[str]:
        """Copies weights by layer name; returns the names in the file that the net lacks.

        Warns about a file without any layer of the net, where Caffe says nothing. ShapeError if blobs do not fit.
        """
        self.flush()
        targets = {step.layer.name: step.layer for step in reversed(self.steps)}  # the first of equally named layers
        refuse_lost_scales(targets, sources, file)
        ignored = []
        for source in sources:
            if source.name not in targets:
                logger.info("Ignoring source layer %s", source.name)
                ignored.append(source.name)
            elif source.blobs or targets[source.name].blobs:
                copy_blobs(targets[source.name], source.blobs, file)
        warn_of_other_net(targets, sources, file)
        return ignored

    def share_weights(self, other: "Net") -> None:
        """Uses the other net's weights for layers of the same name (Net::ShareTrainedLayersWith).

        Each net keeps gradients of its own, because scripts add up the gradients of nets that share weights.
        Raises GraphError if blobs of a layer have other shapes than in the other net.
        """
        theirs = {step.layer.name: step.layer for step in other.steps}
        replaced: list[tuple[nn.Parameter, nn.Parameter]] = []
        for step in self.steps:
            source = theirs.get(step.layer.name)
            if source is None or not source.blobs:
                continue
            if [blob.shape for blob in source.blobs] != [blob.shape for blob in step.layer.blobs]:
                raise GraphError(f"{step.layer.spec}: cannot share weights with a net whose blobs have other shapes")
            for index, blob in enumerate(source.blobs):
                replaced.append((step.layer.blobs[index], blob))
                step.layer.blobs[index] = blob
                self.params[step.layer.name][index].point_to(other.params[step.layer.name][index])
            for weight in step.learning:
                weight.requires_grad_(True)  # the other net may not need its gradient
        self._borrow(replaced)

    def _borrow(self, replaced: list[tuple[nn.Parameter, nn.Parameter]]) -> None:
        for own, lent in dict.fromkeys(replaced):
            if own is not lent:
                self.gradients.hand_over(own, lent)
        lent_for = dict(reversed(replaced))  # of layers that share a weight, the first one owns it
        for learnable in self.learnable:
            learnable.parameter = lent_for.get(learnable.parameter, learnable.parameter)

    def save(self, path: str, dialect: str = "auto") -> None:
        """Writes the whole net with its weights to a .caffemodel file."""
        self.flush()
        write_weights(path, self.parameter, blobs_of([step.layer for step in self.steps]), dialect)

    def move(self, device: torch.device) -> None:
        """Moves weights, gradients and blobs to another device."""
        if device == self.device:
            return
        self.flush()
        self.to(device)
        self.gradients.move(device)
        for learnable in self.learnable:
            learnable.tie_views()
        for blob in self.blobs.values():
            blob.move(device)
        self.device = device

    def close(self) -> None:
        """Stops the reader threads of data layers and closes their files."""
        for step in self.steps:
            close = getattr(step.layer, "close", None)
            if close is not None:
                close()


def _parameter_blobs(steps: list[Step], gradients: WeightGradients) -> "OrderedDict[str, list[ParameterBlob]]":
    # One ParameterBlob per parameter, so that layers that share a weight return the same host array.
    known: dict[int, ParameterBlob] = {}
    params: OrderedDict[str, list[ParameterBlob]] = OrderedDict()
    for step in steps:
        if step.layer.blobs:
            params[step.layer.name] = [
                known.setdefault(id(blob), ParameterBlob(blob, gradients.of)) for blob in step.layer.blobs
            ]
    return params

"""Checks that onnxruntime computes the same outputs as our own layers."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NotImplemented,
    RuntimeException,
)
from torch import Tensor

from caffe_compat.convert.model import Assembly, Shape
from caffe_compat.convert.onnx.export import needed_steps, one_line
from caffe_compat.errors import CaffeError, FormatError
from caffe_compat.graph.builder import GraphBuilder, shapes_only
from caffe_compat.graph.comparing import is_near_tie, jumps, sample_inputs
from caffe_compat.graph.wiring import Step, Wiring
from caffe_compat.layers.base import as_tuple

#: Largest difference from our outputs, as a part of an output's largest value. Float32 sums in another order come to
#: 1e-6 a layer and to 1e-4 in a net of a hundred normalised layers; a wrong layer comes to 1e-2 and more.
TOLERANCE = 1e-3
#: Two images show what is mixed between images; one would not.
SMALL_BATCH = 2
Inputs = dict[str, np.ndarray]
#: Largest relative rounding error of onnxruntime within one layer.
ROUNDING = 1e-5
#: What onnxruntime raises for a model that it cannot load or run.
REFUSALS = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NotImplemented, RuntimeException)


@dataclass(frozen=True)
class Agreement:
    """The difference between onnxruntime's and our output, relative to the output's largest absolute value."""

    error: float
    output: str


def compare_with_onnxruntime(
    path: str, data: bytes, net: Assembly, outputs: Sequence[str] = (), dynamic_size: bool = False, seed: int = 1
) -> Agreement:
    """Runs a file's bytes and our layers on the same random inputs; with `dynamic_size` on images of other sizes, too.

    After layers that choose (ArgMax, the mask of maxima, detections), our run continues with onnxruntime's values.
    Otherwise a near tie could change all later layers. FormatError if onnxruntime cannot run the model, or if the
    outputs differ by more than TOLERANCE.
    """
    wanted = list(outputs) or list(net.outputs)
    steps = needed_steps(net, wanted)
    run = _Run(path, steps, wanted, _session(path, _showing(data, _watched(steps))))
    runs = [run.agreement(sample_inputs(net.steps, net.inputs, seed))]
    if dynamic_size:
        runs += _on_other_sizes(run, net, seed)
    worst = max(runs, key=lambda one: one.error)
    if not worst.error <= TOLERANCE:
        raise FormatError(
            f"{path}: onnxruntime's '{worst.output}' differs from ours by {worst.error:.2g} of its largest value, "
            f"expected at most {TOLERANCE:g}; report this net"
        )
    return worst


def _watched(steps: Sequence[Step]) -> list[str]:
    """Returns the bottoms and tops of layers that choose (`jumps`), without blobs that a later layer overwrites."""
    wiring = Wiring.of_steps(steps)
    names: list[str] = []
    for index, step in enumerate(steps):
        if jumps(step, len(step.tops) - 1):
            read = [name for name in step.bottoms if (wiring.last_writer(name) or 0) <= index]
            names += [*read, *(name for name in step.tops if wiring.last_writer(name) == index)]
    return list(dict.fromkeys(names))


def _showing(data: bytes, blobs: Sequence[str]) -> bytes:
    """Returns the model with the blobs added to its outputs; existing inputs and outputs are not added again."""
    if not blobs:
        return data
    model = onnx.ModelProto.FromString(data)
    known = {info.name for info in (*model.graph.output, *model.graph.input)}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in blobs if name not in known)
    return bytes(model.SerializeToString())


@dataclass(frozen=True)
class _Run:
    """Runs the needed layers of a net and onnxruntime's session on the same inputs."""

    path: str
    steps: Sequence[Step]
    wanted: Sequence[str]
    session: onnxruntime.InferenceSession

    def agreement(self, inputs: Inputs) -> Agreement:
        """Returns the blob with the largest difference, among outputs and blobs around layers that choose."""
        theirs = _run(self.path, self.session, inputs)
        values = {name: torch.from_numpy(array) for name, array in inputs.items()}
        found = []
        with torch.no_grad():
            for step in self.steps:
                found += self._advance(step, values, theirs)
        # By order, since what a layer writes over an input has another name in ONNX.
        outputs = zip(self.wanted, theirs.values(), strict=False)
        found += [Agreement(difference(output, values[name].numpy()), name) for name, output in outputs]
        return max(found, key=lambda one: one.error)

    def _advance(self, step: Step, values: dict[str, Tensor], theirs: Inputs) -> list[Agreement]:
        """Runs a layer; one that chooses reads onnxruntime's bottoms, and onnxruntime's tops replace its tops."""
        step.layer.forget()
        if not jumps(step, len(step.tops) - 1):
            made = as_tuple(step.layer(*(values[bottom] for bottom in step.bottoms)))
            values.update(zip(step.tops, made, strict=True))
            return []
        found = []
        for name in step.bottoms:
            if name in theirs:
                found.append(Agreement(difference(theirs[name], values[name].numpy()), name))
                values[name] = torch.from_numpy(theirs[name])
        bottoms = [values[bottom] for bottom in step.bottoms]
        for position, (name, top) in enumerate(zip(step.tops, as_tuple(step.layer(*bottoms)), strict=True)):
            values[name] = top
            if name in theirs:
                found.append(Agreement(_choice_error(step, bottoms, position, theirs[name], top), name))
                values[name] = torch.from_numpy(theirs[name])
        return found


def _choice_error(step: Step, bottoms: Sequence[Tensor], position: int, theirs: np.ndarray, ours: Tensor) -> float:
    """Returns the difference of a top; 0 if it is only another choice between nearly equal values."""
    error = difference(theirs, ours.numpy())
    if error > TOLERANCE and jumps(step, position) and is_near_tie(step.layer, bottoms, position, theirs, ROUNDING):
        return 0.0
    return error


def _on_other_sizes(run: _Run, net: Assembly, seed: int) -> list[Agreement]:
    """Returns the agreement on images of OTHER_SIZES, without sizes that our own layers refuse."""
    found = []
    for change in OTHER_SIZES:
        sizes = {name: change(shape) if len(shape) == 4 else shape for name, shape in net.inputs.items()}
        inputs = sample_inputs(net.steps, sizes, seed)
        with suppress(CaffeError, RuntimeError):  # a size that the net does not take, or that takes too much memory
            net.run({name: torch.from_numpy(values) for name, values in inputs.items()}, run.wanted)
            found.append(inputs)
    return [run.agreement(inputs) for inputs in found]


def _odd_size(shape: Shape) -> Shape:
    return (*shape[:2], shape[2] + 5, shape[3] + 3)


def _multiples(shape: Shape) -> Shape:
    return (*shape[:2], 2 * shape[2], 3 * shape[3])


#: Sizes of images: one that is no multiple of strides, and one for nets that halve their images.
OTHER_SIZES: tuple[Callable[[Shape], Shape], ...] = (_odd_size, _multiples)


def with_small_batch(net: Assembly) -> Assembly:
    """The net with SMALL_BATCH items per input, sharing its layers; the net itself where its batch is fixed or small.

    A batch is fixed where inputs differ in axis 0, or where a top's axis 0 is another than the inputs'.
    """
    batches = {shape[0] if shape else 0 for shape in net.inputs.values()}
    if len(batches) != 1 or max(batches) <= SMALL_BATCH:
        return net
    inputs = {name: (SMALL_BATCH, *shape[1:]) for name, shape in net.inputs.items()}
    builder = shapes_only(inputs)
    try:
        steps = [_resized(builder, step, max(batches)) for step in net.steps]
    except (CaffeError, RuntimeError):  # a layer states the batch, or its weights depend on it
        return net
    return replace(net, inputs=inputs, steps=tuple(steps), shapes={**net.shapes, **builder.shapes})


def _resized(builder: GraphBuilder, step: Step, batch: int) -> Step:
    """The step with the shapes of a small batch. Raises RuntimeError if its weights or tops do not follow the batch."""
    small = builder.add(step.layer.spec.parameter)
    fits = [blob.shape for blob in small.layer.blobs] == [blob.shape for blob in step.layer.blobs]
    pairs = list(zip(small.top_shapes, step.top_shapes, strict=True))
    follows = all(tuple(new) in (tuple(old), (SMALL_BATCH, *old[1:])) for new, old in pairs)
    batched = not step.layer.tops_have_batch or all(old and old[0] == batch for _, old in pairs)
    if not (fits and follows and batched):
        raise RuntimeError
    return replace(step, bottom_shapes=small.bottom_shapes, top_shapes=small.top_shapes)


def require_loads(path: str, data: bytes) -> None:
    """Raises FormatError if onnxruntime cannot load the model."""
    _session(path, data)


def quiet_session(data: bytes) -> onnxruntime.InferenceSession:
    """Returns a session that logs errors only; onnxruntime also warns of what its own rewriting leaves over."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _session(path: str, data: bytes) -> onnxruntime.InferenceSession:
    try:
        return quiet_session(data)
    except REFUSALS as error:
        raise _refused(path, error) from error


def _run(path: str, session: onnxruntime.InferenceSession, inputs: Inputs) -> Inputs:
    """Returns onnxruntime's outputs for the inputs, by name."""
    try:
        taken = {one.name for one in session.get_inputs()}
        made = session.run(None, {name: values for name, values in inputs.items() if name in taken})
    except REFUSALS as error:
        raise _refused(path, error) from error
    return dict(zip((one.name for one in session.get_outputs()), made, strict=True))


def _refused(path: str, error: Exception) -> FormatError:
    return FormatError(
        f"{path}: onnxruntime does not run the model: {one_line(error)}; --no-check writes it all the same"
    )


def difference(got: np.ndarray, wanted: np.ndarray) -> float:
    """Returns the largest difference relative to `wanted`; inf for other shapes, or NaN in only one of both."""
    if got.shape != wanted.shape or not np.array_equal(np.isnan(got), np.isnan(wanted)):
        return float("inf")
    both = ~np.isnan(wanted)
    if not both.any():
        return 0.0
    # Maxima of empty windows are -FLT_MAX in both, so the difference is computed before the division.
    return float(np.abs(got[both] - wanted[both]).max() / max(1e-2, np.abs(wanted[both]).max()))

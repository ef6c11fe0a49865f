"""An assembled net as an ONNX model, and the check that onnxruntime computes the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NotImplemented,
    RuntimeException,
)

from caffe_compat.convert.assemble import Assembly, require_blobs
from caffe_compat.convert.model import Shape
from caffe_compat.convert.module import CaffeModule
from caffe_compat.convert.onnx.graph import OPSET, Graph
from caffe_compat.convert.onnx.sample_inputs import sample_inputs
from caffe_compat.convert.onnx.table import EXPORTERS
from caffe_compat.errors import CaffeError, FormatError, MissingFeatureError, ShapeError
from caffe_compat.graph.builder import shapes_only
from caffe_compat.graph.step import Step
from caffe_compat.graph.wiring import Wiring

#: Largest difference from our outputs, as a part of an output's largest value. Float32 sums in another order come to
#: 1e-6 a layer and to 1e-4 in a net of a hundred normalised layers; a wrong layer comes to 1e-2 and more.
TOLERANCE = 1e-3
BATCH = "N"
#: Axes of open size, by number, with their names.
OpenAxes = dict[int, str]
#: What onnxruntime raises for a model that it cannot load or run.
REFUSALS = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NotImplemented, RuntimeException)


def export_onnx(net: Assembly, outputs: Sequence[str] = (), dynamic: bool = False) -> onnx.ModelProto:
    """The net with inputs and outputs under their blobs' names; `dynamic` leaves the batch open.

    MissingFeatureError names the layer that ONNX cannot say; GraphError an unknown output.
    """
    wanted = list(outputs) or list(net.outputs)
    require_blobs(net, wanted)
    steps = needed_steps(net, wanted)
    fixed = _blobs_without_batch(net, steps) if dynamic else set()
    graph = Graph(dynamic, {*net.inputs, *(top for step in steps for top in step.tops)})
    values = {name: name for name in net.inputs}
    wiring = Wiring.of_steps(steps)
    for index, step in enumerate(steps):
        final = {top for top in step.tops if wiring.last_writer(top) == index}
        _add(graph, step, values, final - set(net.inputs))
    usual = "items" if any(step.layer.spec.type == "Filter" for step in steps) else BATCH if dynamic else None
    axes: dict[str, OpenAxes] = {name: {} if name in fixed or not usual else {0: usual} for name in wanted}
    detections = {top for step in steps if step.layer.spec.type == "DetectionOutput" for top in step.tops}
    axes |= {name: {2: "detections"} for name in detections.intersection(wanted)}
    return _model(net, graph, values, axes)


def needed_steps(net: Assembly, outputs: Iterable[str]) -> list[Step]:
    """The layers that lead to these blobs."""
    return [net.steps[index] for index in Wiring.of_steps(net.steps).leading_to(outputs)]


def _add(graph: Graph, step: Step, values: dict[str, str], final: set[str]) -> None:
    """A layer's nodes; its tops take their blobs' names, or `blob@layer` where a later layer writes the blob anew."""
    exporter = EXPORTERS.get(step.layer.spec.type)
    if exporter is None:
        raise MissingFeatureError(
            f"{step.layer.spec}: ONNX has no words for this type; take outputs before it with --outputs"
            f" ({', '.join(step.bottoms) or 'none'})"
        )
    graph.enter(step.layer.name)
    made = exporter(graph, step, *(values[bottom] for bottom in step.bottoms))
    for top, value in zip(step.tops, [made] if isinstance(made, str) else made, strict=True):
        values[top] = graph.name(value, top if top in final else graph.free(f"{top}@{step.layer.name}"))


def _model(net: Assembly, graph: Graph, values: dict[str, str], outputs: dict[str, OpenAxes]) -> onnx.ModelProto:
    """`outputs` are blobs, each with its axes of open size."""

    def value_info(name: str, shape: Shape, open_axes: OpenAxes) -> onnx.ValueInfoProto:
        sizes = [open_axes.get(axis, size) for axis, size in enumerate(shape)]
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)

    batch: OpenAxes = {0: BATCH} if graph.dynamic else {}
    made = helper.make_graph(
        graph.nodes,
        net.name or "net",
        [value_info(name, shape, batch) for name, shape in net.inputs.items()],
        [value_info(values[name], net.shapes[name], open_axes) for name, open_axes in outputs.items()],
        list(graph.initializers.values()),
    )
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model_gen_version(made, opset_imports=opset, producer_name="caffe_compat")


def _blobs_without_batch(net: Assembly, steps: Sequence[Step]) -> set[str]:
    """Walks with twice the batch: axis 0 of every blob must double and nothing else may change.

    But for what follows from shapes and weights alone, which must stay as it is: those blobs.
    """
    if len({shape[0] for shape in net.inputs.values()}) > 1:
        raise ShapeError(f"{net.path}: expected inputs of one batch size to leave open, got {net.inputs}")
    builder = shapes_only({name: (2 * shape[0], *shape[1:]) for name, shape in net.inputs.items()})
    fixed: set[str] = set()
    for step in steps:
        is_fixed = not step.layer.tops_have_batch or (bool(step.bottoms) and fixed.issuperset(step.bottoms))
        fixed = fixed.union(step.tops) if is_fixed else fixed.difference(step.tops)
        try:
            layer = builder.add(step.layer.spec.parameter).layer
            fits = [blob.shape for blob in layer.blobs] == [blob.shape for blob in step.layer.blobs]
        except (CaffeError, RuntimeError):
            fits = False
        doubled = [(2 * shape[0], *shape[1:]) if shape else None for shape in step.top_shapes]
        if not fits or [builder.shapes[top] for top in step.tops] != (list(step.top_shapes) if is_fixed else doubled):
            raise ShapeError(
                f"{net.path}: {step.layer.spec}: its tops {list(step.top_shapes)} do not grow with the batch; "
                "export with a fixed batch (without --dynamic-batch)"
            )
    return fixed


def onnx_bytes(path: str, model: onnx.ModelProto) -> bytes:
    """The file's bytes; FormatError where the model breaks ONNX's rules."""
    try:
        data = model.SerializeToString()
        onnx.checker.check_model(data)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise FormatError(f"{path}: ONNX's checker refuses the model: {_one_line(error)}") from error
    return bytes(data)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


@dataclass(frozen=True)
class Agreement:
    """How far onnxruntime's outputs are from ours: the largest difference over each output's largest value."""

    error: float
    output: str


def compare_with_onnxruntime(
    path: str, data: bytes, net: Assembly, outputs: Sequence[str] = (), seed: int = 1
) -> Agreement:
    """Runs a file's bytes and our layers on the same random inputs.

    FormatError where onnxruntime cannot, or where they differ by more than TOLERANCE.
    """
    module = CaffeModule(net, outputs)
    inputs = sample_inputs(net, seed)
    with torch.no_grad():
        made = module(**{name: torch.from_numpy(values) for name, values in inputs.items()})
    ours = made if isinstance(made, dict) else {module.outputs[0]: made}
    theirs = _run(path, data, inputs)
    errors = [
        Agreement(difference(their, our.numpy()), name) for their, (name, our) in zip(theirs, ours.items(), strict=True)
    ]
    worst = max(errors, key=lambda one: one.error)
    if not worst.error <= TOLERANCE:
        raise FormatError(
            f"{path}: onnxruntime's '{worst.output}' differs from ours by {worst.error:.2g} of its largest value, "
            f"expected at most {TOLERANCE:g}; report this net"
        )
    return worst


def _run(path: str, data: bytes, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What onnxruntime makes of the inputs."""
    try:
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        taken = {one.name for one in session.get_inputs()}
        return list(session.run(None, {name: values for name, values in inputs.items() if name in taken}))
    except REFUSALS as error:
        raise FormatError(
            f"{path}: onnxruntime does not run the model: {_one_line(error)}; --no-check writes it all the same"
        ) from error


def difference(got: np.ndarray, wanted: np.ndarray) -> float:
    """Infinite for other shapes or for NaN in one only."""
    if got.shape != wanted.shape or not np.array_equal(np.isnan(got), np.isnan(wanted)):
        return float("inf")
    both = ~np.isnan(wanted)
    if not both.any():
        return 0.0
    # Empty maxima are -FLT_MAX: their difference, not their size, counts.
    return float(np.abs(got[both] - wanted[both]).max() / max(1e-2, np.abs(wanted[both]).max()))

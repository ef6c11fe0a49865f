"""Exports an assembled net as an ONNX model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

from caffe_compat.convert.model import Assembly, Shape, require_blobs, scale_behind
from caffe_compat.convert.onnx.graph import FIXED_BATCH, OPSET, Graph, outputs_before
from caffe_compat.convert.onnx.open_size import FixedSizeError, export_open, is_open, larger_steps, open_axes
from caffe_compat.convert.onnx.reduction import batch_norm
from caffe_compat.convert.onnx.table import EXPORTERS
from caffe_compat.convert.stored_preprocessing import image_inputs, preprocessing_of
from caffe_compat.errors import CaffeError, FormatError, MissingFeatureError, ShapeError
from caffe_compat.graph.builder import shapes_only
from caffe_compat.graph.wiring import Step, Wiring

BATCH = "N"
#: Axes of open size, by number, with their names.
OpenAxes = dict[int, str]


@dataclass(frozen=True)
class _Piece:
    """A layer to export: its step, its step on larger images if sizes stay open, and a Scale fused into it."""

    step: Step
    larger: Step | None
    scale: Step | None

    @property
    def last(self) -> Step:
        """The step whose tops the piece makes."""
        return self.scale or self.step


def export_onnx(
    net: Assembly, outputs: Sequence[str] = (), dynamic: bool = False, dynamic_size: bool = False
) -> onnx.ModelProto:
    """The net with inputs and outputs under their blobs' names; a BatchNorm and its Scale are one node.

    An output that a layer writes over an input has the name `blob@layer`, as ONNX has one table of names.

    `dynamic` leaves the batch open, `dynamic_size` the height and width of every input of four axes.
    MissingFeatureError names the layer that ONNX cannot say, ShapeError the layer that fixes a size that should stay
    open; GraphError names an unknown output.
    """
    wanted = list(outputs) or list(net.outputs)
    require_blobs(net, wanted)
    try:
        return _export(net, wanted, dynamic, dynamic_size)
    except FixedSizeError as error:
        apart = _outputs_apart(net, wanted, dynamic, error.step)
        advice = f", or take outputs that do not depend on it (--outputs {' '.join(apart)})" if apart else ""
        raise ShapeError(f"{error}{advice}") from error


def _outputs_apart(net: Assembly, wanted: Sequence[str], dynamic: bool, refused: Step) -> list[str]:
    """Returns outputs whose size can stay open: all that the layers read which depend on the refused ones.

    Exports these outputs to find further layers that fix a size. Returns an empty list if only inputs are left.
    """
    every = [refused]
    while outputs := _read_beside(needed_steps(net, wanted), wanted, every, net.inputs):
        try:
            _export(net, outputs, dynamic, True)
        except FixedSizeError as error:
            every.append(error.step)
        except CaffeError:
            return []
        else:
            break
    return outputs


def _read_beside(
    steps: Sequence[Step], wanted: Sequence[str], refused: Sequence[Step], inputs: Iterable[str]
) -> list[str]:
    """Returns the blobs that refused layers and layers behind them read, and wanted blobs, if made by other layers."""
    read: list[str] = []
    dependent: set[str] = set()
    for step in steps:
        if any(step is one for one in refused) or dependent.intersection(step.bottoms):
            read += step.bottoms
            dependent.update(step.tops)
        else:
            dependent.difference_update(step.tops)
    return [name for name in dict.fromkeys([*read, *wanted]) if name not in dependent.union(inputs)]


def _export(net: Assembly, wanted: Sequence[str], dynamic: bool, dynamic_size: bool) -> onnx.ModelProto:
    steps = needed_steps(net, wanted)
    fixed = _blobs_without_batch(net, steps) if dynamic else set()
    larger = larger_steps(net, steps) if dynamic_size else None
    graph = Graph(dynamic, {*net.inputs, *(top for step in steps for top in step.tops)})
    values = {name: name for name in net.inputs}
    wiring = Wiring.of_steps(steps)
    for piece in _pieces(steps, wiring, larger, wanted):
        final = {top for top in piece.last.tops if steps[wiring.last_writer(top) or 0] is piece.last}
        _add(graph, piece, values, final - set(net.inputs))
    open_outputs = _open_outputs(net, steps, larger, wanted, fixed if dynamic else set(wanted))
    return _model(net, graph, values, open_outputs, dynamic_size)


def _pieces(
    steps: Sequence[Step], wiring: Wiring, larger: Sequence[Step] | None, wanted: Sequence[str]
) -> list[_Piece]:
    """Returns the layers in order; a Scale is fused into the BatchNorm before it, unless the blob between is wanted."""
    layers = [step.layer.spec.parameter for step in steps]
    behind: dict[int, int] = {}
    for index, step in enumerate(steps):
        scale = scale_behind(layers, wiring, index) if step.layer.spec.type == "BatchNorm" else None
        if scale is not None and (step.tops == steps[scale].tops or step.tops[0] not in wanted):
            behind[index] = scale
    return [
        _Piece(step, larger[index] if larger else None, steps[behind[index]] if index in behind else None)
        for index, step in enumerate(steps)
        if index not in behind.values()
    ]


def needed_steps(net: Assembly, outputs: Iterable[str]) -> list[Step]:
    """The layers that lead to these blobs."""
    return [net.steps[index] for index in Wiring.of_steps(net.steps).leading_to(outputs)]


def _add(graph: Graph, piece: _Piece, values: dict[str, str], final: set[str]) -> None:
    """Adds a layer's nodes; tops are named `blob`, or `blob@layer` if a later layer overwrites the blob."""
    step = piece.step
    if step.layer.spec.type not in EXPORTERS:
        raise MissingFeatureError(f"{step.layer.spec}: ONNX has no words for this type; {outputs_before(step)}")
    graph.enter(step.layer.name)
    made = _exported(graph, piece, [values[bottom] for bottom in step.bottoms])
    for top, value in zip(piece.last.tops, [made] if isinstance(made, str) else made, strict=True):
        values[top] = graph.name(value, top if top in final else graph.free(f"{top}@{piece.last.layer.name}"))


def _exported(graph: Graph, piece: _Piece, bottoms: Sequence[str]) -> str | list[str]:
    """The values of the piece's tops."""
    if piece.scale is not None:
        return batch_norm(graph, piece.step, bottoms[0], piece.scale)
    if piece.larger is not None and is_open(piece.step, piece.larger):
        return export_open(graph, piece.step, piece.larger, bottoms)
    return EXPORTERS[piece.step.layer.spec.type](graph, piece.step, *bottoms)


def _open_outputs(
    net: Assembly, steps: Sequence[Step], larger: Sequence[Step] | None, wanted: Sequence[str], fixed: set[str]
) -> dict[str, OpenAxes]:
    """The open axes of every output; `fixed` are blobs whose first axis is not the batch, or is not open."""
    axes: dict[str, OpenAxes] = {name: {} if name in fixed else {0: BATCH} for name in wanted}
    if any(step.layer.spec.type == "Filter" for step in steps):
        axes = {name: {0: "items"} for name in wanted}
    grown = {top: shape for step in larger or () for top, shape in zip(step.tops, step.top_shapes, strict=True)}
    for name in wanted:
        if name in grown:
            axes[name] |= {axis: f"{name}_{axis}" for axis in open_axes(net.shapes[name], grown[name])}
    detections = {top for step in steps if step.layer.spec.type == "DetectionOutput" for top in step.tops}
    return axes | {name: {2: "detections"} for name in detections.intersection(wanted)}


def _model(
    net: Assembly, graph: Graph, values: dict[str, str], outputs: dict[str, OpenAxes], has_open_size: bool
) -> onnx.ModelProto:
    """`outputs` are blobs, each with its axes of open size."""

    def value_info(name: str, shape: Shape, open_axes: OpenAxes) -> onnx.ValueInfoProto:
        sizes = [open_axes.get(axis, size) for axis, size in enumerate(shape)]
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)

    def input_axes(shape: Shape) -> OpenAxes:
        size = {2: "height", 3: "width"} if has_open_size and len(shape) == 4 else {}
        return {0: BATCH} | size if graph.dynamic else size

    made = helper.make_graph(
        graph.nodes,
        net.name or "net",
        [value_info(name, shape, input_axes(shape)) for name, shape in net.inputs.items()],
        [value_info(values[name], net.shapes[name], open_axes) for name, open_axes in outputs.items()],
        list(graph.initializers.values()),
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model_gen_version(made, opset_imports=opset, producer_name="caffe_compat")
    helper.set_model_props(model, _metadata(net))
    return model


def _metadata(net: Assembly) -> dict[str, str]:
    """What the net expects of an image, as text for programs that run the model; empty if it is not known."""
    found = preprocessing_of(net.parameter, net.inputs)
    if found is None:
        return {}
    height, width = net.inputs[image_inputs(net.inputs)[0]][2:]
    return {
        "preprocessing.channels": found.channels,
        "preprocessing.mean": ",".join(f"{value:g}" for value in found.mean) or "0",
        "preprocessing.scale": f"{found.scale:g}",
        "preprocessing.size": f"{height},{width}",
    }


def _blobs_without_batch(net: Assembly, steps: Sequence[Step]) -> set[str]:
    """Computes shapes for twice the batch: axis 0 of every blob must double, and other axes must not change.

    Returns the exceptions: blobs that depend only on shapes and weights, which must not change at all.
    """
    if len({shape[0] for shape in net.inputs.values()}) > 1:
        raise ShapeError(
            f"{net.path}: expected inputs of one batch size to leave open, got {net.inputs}; {FIXED_BATCH}"
        )
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
                f"{FIXED_BATCH}"
            )
    return fixed


def onnx_bytes(path: str, model: onnx.ModelProto) -> bytes:
    """The file's bytes; FormatError where the model breaks ONNX's rules."""
    try:
        data = model.SerializeToString()
        onnx.checker.check_model(data)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise FormatError(f"{path}: ONNX's checker refuses the model: {one_line(error)}") from error
    return bytes(data)


#: Of an error's message.
_MOST_CHARACTERS = 450


def one_line(error: Exception) -> str:
    """An error's message without line ends, its middle left out where it is long: onnxruntime quotes its own code."""
    text = " ".join(str(error).split())
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:200]} ... {text[-200:]}"

"""The part of a net that another runtime can run: layers with an ONNX form whose bottoms come from such layers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from caffe_compat.convert.model import Assembly
from caffe_compat.convert.onnx.export import export_onnx
from caffe_compat.convert.onnx.table import EXPORTERS
from caffe_compat.errors import MissingFeatureError
from caffe_compat.graph.wiring import Step
from caffe_compat.layers.base import Shape
from caffe_compat.net.net import Net


@dataclass(frozen=True)
class ExportedPart:
    """Which steps of a net go where, by index.

    `before` feeds the net (data layers), `within` is exported, and `after` runs here on what the other runtime gives
    (losses, Accuracy). `inputs` and `outputs` are the blobs that go into and come out of the exported part.
    """

    before: Sequence[int]
    within: Sequence[int]
    after: Sequence[int]
    inputs: Sequence[str]
    outputs: Sequence[str]


def exported_part(net: Net, requested: Iterable[str] | None, kept: Iterable[str] = ()) -> ExportedPart:
    """Divides the net. Without a request its outputs are wanted and its losses count; with one they do not.

    `kept` are wanted as well. If only inputs are wanted, nothing is exported. Raises MissingFeatureError where layers
    are needed and none of them can be exported.
    """
    fed = {top for step in net.steps if not step.bottoms for top in step.tops}
    made: set[str] = set()
    within, after = [], []
    crossing: dict[int, set[str]] = {}  # what a step that runs here reads of the exported part
    for index, step in enumerate(net.steps):
        if not step.bottoms:
            continue
        if step.layer.spec.type in EXPORTERS and all(bottom in made or bottom in fed for bottom in step.bottoms):
            within.append(index)
            made.update(step.tops)
        else:
            after.append(index)
            crossing[index] = made.intersection(step.bottoms)
            made.difference_update(step.tops)
            fed.difference_update(step.tops)
    wanted = {*(net.outputs if requested is None else requested), *kept}
    if requested is not None:
        after = _leading_to(net.steps, after, wanted)
    outputs = sorted((wanted & made).union(*(crossing[index] for index in after)))
    if not outputs and (not wanted or wanted - fed):
        raise MissingFeatureError(
            f"net '{net.name}': no layer that leads to {', '.join(sorted(wanted)) or 'an output'} has an ONNX form; "
            "use --engine fast"
        )
    within = _leading_to(net.steps, within, outputs)  # OpenVINO has no inputs that lead to no output
    read = {bottom for index in within for bottom in net.steps[index].bottoms}
    before = [index for index, step in enumerate(net.steps) if not step.bottoms and not step.layer.is_input]
    return ExportedPart(before, within, after, sorted(read & fed), outputs)


def _leading_to(steps: Sequence[Step], indices: Sequence[int], blobs: Iterable[str]) -> list[int]:
    """Those of the indices, in order, whose steps write one of the blobs or what the step of a later index reads."""
    needed, found = set(blobs), []
    for index in reversed(indices):
        if needed.intersection(steps[index].tops):
            found.append(index)
            needed.update(steps[index].bottoms)
    return found[::-1]


def onnx_model(net: Net, part: ExportedPart) -> bytes:
    """The exported part at the shapes that the net's blobs have now, with the weights of now."""
    shapes: dict[str, Shape] = {name: tuple(blob.shape) for name, blob in net.blobs.items()}
    steps = tuple(_at(net.steps[index], shapes) for index in part.within)
    assembly = Assembly(
        parameter=net.parameter,
        path=f"net '{net.name}'",
        dialect="bvlc",
        was_training=False,
        steps=steps,
        inputs={name: shapes[name] for name in part.inputs},
        outputs=tuple(part.outputs),
        shapes=shapes,
    )
    return bytes(export_onnx(assembly, part.outputs).SerializeToString())


def _at(step: Step, shapes: dict[str, Shape]) -> Step:
    """The step at the shapes that blobs have now, which a reshape may have changed since the net was built."""
    return replace(
        step,
        bottom_shapes=[shapes[bottom] for bottom in step.bottoms],
        top_shapes=[shapes[top] for top in step.tops],
    )

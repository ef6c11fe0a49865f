"""Starts a step from the weights of another label set: what depends on the number of labels is learned anew."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from caffe_compat.errors import some_of
from caffe_compat.graph.builder import filter_net, shapes_only
from caffe_compat.layers.base import Layer
from caffe_compat.layers.data.base_data import DataLayer
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import same_shape
from caffe_compat.proto.read import Weights, read_net, read_weights
from caffe_compat.proto.write import write_weights
from caffe_compat.srn.stages.stages import Stage, starting_point

LOSS = "SigmoidCrossEntropyLoss"
Shape = tuple[int, ...]


class Learned(NamedTuple):
    """The layers of a step's net with weights: shapes of their blobs; those that stay fixed; and how many labels."""

    shapes: dict[str, list[Shape]]
    fixed: set[str]
    labels: set[int]


class StartFlags(NamedTuple):
    """What `train` is given besides the solver, and notes for the user."""

    flags: dict[str, str]
    notes: Sequence[str] = ()


class FirstWeights(NamedTuple):
    """A file to start from, and why it is not the one that was given.

    `names` are the layers of the net that the file fills. `anew` names those that were left out, because the file has
    `labels[0]` labels and the net `labels[1]`. `lacks` names layers that are fixed in the step and not filled.
    """

    path: str
    names: set[str]
    anew: Sequence[str]
    labels: tuple[int, int]
    lacks: Sequence[str]


def start_of(
    stage: Stage, stages: Sequence[Stage], weights: str | None, first: int, allow_python_layers: bool = False
) -> StartFlags:
    """How a step starts when the user gives `weights` and trains from step number `first` on.

    The first step starts from these weights alone, unless it was interrupted. A later step starts from the weights of
    the step before, and takes parts that its net adds from the user's. Raises SolverError as `starting_point` does.
    """
    if not weights or stage.has_snapshot:
        return StartFlags(starting_point(stage, stages))
    fitted = fit_weights(weights, stage, allow_python_layers)
    notes = [anew_note(stage, weights, fitted)] if fitted.anew else []
    if stage.number == first and not fitted.lacks:
        return StartFlags({"weights": fitted.path}, notes)
    before = starting_point(stage, stages)["weights"]
    if fitted.names <= {layer.name for layer in read_weights(before).layers}:
        return StartFlags({"weights": before})
    return StartFlags({"weights": f"{fitted.path},{before}"}, notes)


def anew_note(stage: Stage, weights: str, fitted: FirstWeights) -> str:
    """Which layers of a step are learned anew, and why."""
    old, new = fitted.labels
    return f"{stage}: {weights} is for {old} labels, the net for {new}; learned anew: {some_of(fitted.anew)}"


def fit_weights(path: str, stage: Stage, allow_python_layers: bool = False) -> FirstWeights:
    """The weights of a file that fit a step's net.

    Where only the number of labels differs, the layers concerned are left out, in a new file beside the step's
    snapshots. Layers that differ otherwise stay in: training then says which and how, as Caffe does.
    """
    weights, learned = read_weights(path), learned_layers(stage, allow_python_layers)
    other = {layer.name: _other_labels(layer.blobs, learned.shapes.get(layer.name, [])) for layer in weights.layers}
    pairs = {pair for pairs in other.values() for pair in pairs}
    anew = [name for name in learned.shapes if other.get(name)]
    if len(pairs) == 1 and next(iter(pairs))[1] in learned.labels:
        kept = _write_without(weights, anew, stage)
    else:
        kept, anew, pairs = path, [], {(0, 0)}
    names = {layer.name for layer in weights.layers if layer.blobs} & learned.shapes.keys() - set(anew)
    return FirstWeights(kept, names, anew, next(iter(pairs)), sorted(learned.fixed - names))


def learned_layers(stage: Stage, allow_python_layers: bool = False) -> Learned:
    """The layers of a step's training net, from a walk over shapes; its data are opened for their sizes."""
    state = caffe_pb2.NetState()
    state.CopyFrom(stage.solver.train_state)
    state.phase = caffe_pb2.TRAIN
    net = filter_net(read_net(stage.solver.net or stage.solver.train_net), state)
    builder = shapes_only({}, "TRAIN", allow_python_layers)
    layers: list[Layer] = []
    try:
        for parameter in net.layer:
            layers.append(builder.create(parameter))
            builder.set_up(layers[-1])
    finally:
        for layer in layers:
            if isinstance(layer, DataLayer):
                layer.close()
    scores = (layer.spec.parameter.bottom[0] for layer in layers if layer.spec.type == LOSS)
    return Learned(
        {layer.name: [tuple(blob.shape) for blob in layer.blobs] for layer in layers if layer.blobs},
        {layer.name for layer in layers if layer.blobs and _is_fixed(layer)},
        {builder.shapes[score][1] for score in scores},
    )


def _is_fixed(layer: Layer) -> bool:
    parameters = layer.spec.parameter.param
    return bool(parameters) and not any(parameter.lr_mult for parameter in parameters)


def _other_labels(blobs: Sequence[object], shapes: Sequence[Shape]) -> set[tuple[int, int]]:
    """Pairs of sizes in which the file's blobs and the net's differ; (-1, -1) where they differ otherwise."""
    pairs = set()
    for blob, wanted in zip(blobs, shapes, strict=False):
        found = tuple(getattr(blob, "shape", ()))
        if not same_shape(found, wanted):
            pairs |= _differences(found[max(0, len(found) - len(wanted)) :], wanted)
    return pairs


def _differences(found: Shape, wanted: Shape) -> set[tuple[int, int]]:
    if len(found) != len(wanted):
        return {(-1, -1)}
    return {(one, other) for one, other in zip(found, wanted, strict=True) if one != other}


def _write_without(weights: Weights, left_out: Sequence[str], stage: Stage) -> str:
    """Write the weights without some layers; returns the file's name. Several processes write the same bytes."""
    suffix = ".caffemodel.h5" if weights.path.endswith(".h5") else ".caffemodel"
    path = f"{stage.solver.snapshot_prefix}_start{suffix}"
    kept = [layer for layer in weights.layers if layer.name not in left_out]
    net = caffe_pb2.NetParameter(name=weights.net.name)
    for layer in kept:
        net.layer.add(name=layer.name, type=layer.type)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_weights(path, net, {layer.name: layer.blobs for layer in kept})
    return path

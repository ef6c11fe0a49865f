"""A NetParameter becomes a Net; the only caller of create_layer."""

from collections import OrderedDict
from dataclasses import dataclass, field, replace

import torch

import caffe_compat.layers  # noqa: F401 - registers every type
from caffe_compat.errors import CaffeError, GraphError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.data.in_step import check_in_step
from caffe_compat.layers.registry import create_layer
from caffe_compat.net.blob import Blob
from caffe_compat.net.collector_paused import collector_paused
from caffe_compat.net.device import current_device
from caffe_compat.net.gradients_needed import find_needs
from caffe_compat.net.insert_splits import insert_splits
from caffe_compat.net.log_build import MemoryLog, log_connections, log_parameters, log_result
from caffe_compat.net.net import Net, Step, prefix_file
from caffe_compat.net.own_copies import Arrays, blobs_to_keep, copied_beside
from caffe_compat.net.phase_rules import filter_net
from caffe_compat.net.shared_params import collect_parameters
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_net, read_weights


@dataclass(frozen=True)
class Surroundings:
    """What a net needs to know beyond its prototxt."""

    device: torch.device | None = None  # None: the global mode's
    random_seed: int | None = None
    rank: int = 0
    world_size: int = 1
    allow_python_layers: bool = False
    weights: Arrays = field(default_factory=dict)  # blobs that layers, by name, take in place of filling their own


@collector_paused()
def load_net(
    path: str,
    phase: str,
    surroundings: Surroundings = Surroundings(),
    level: int = 0,
    stages: tuple[str, ...] = (),
    weights: str | None = None,
) -> Net:
    """Builds the net of a prototxt file for a phase, level and stages (its own `state` may name more).

    Weights are copied by layer name from a file; what it holds is not filled before. Errors name the file.
    """
    parameter = read_net(path)
    state = caffe_pb2.NetState(phase=phase, level=level, stage=[*parameter.state.stage, *stages])
    sources = read_weights(weights).layers if weights is not None else []
    with copied_beside(blobs_to_keep(parameter, sources)) as blobs:
        try:
            net = build_net(parameter, state, replace(surroundings, weights=blobs))
        except CaffeError as error:
            raise prefix_file(error, path) from error
    if weights is not None:
        net.copy_layers([replace(source, blobs=blobs.get(source.name, source.blobs)) for source in sources], weights)
    return net


@collector_paused()
def build_net(
    parameter: caffe_pb2.NetParameter, state: caffe_pb2.NetState, surroundings: Surroundings = Surroundings()
) -> Net:
    """Filters by state, inserts Splits, creates and connects the layers, finds where gradients go."""
    filtered = filter_net(parameter, state)
    log_parameters(filtered)
    filtered = insert_splits(filtered)
    builder = _Builder(filtered, surroundings, surroundings.device or current_device())
    steps = [builder.step(layer) for layer in filtered.layer]
    layers = [step.layer for step in steps]
    check_in_step(layers)
    net = Net(filtered, steps, builder.blobs, collect_parameters(layers), builder.device)
    net.apply_needs(find_needs(layers, [step.loss_weights for step in steps], filtered.force_backward))
    log_result(net)
    return net


@dataclass
class _Builder:
    """Adds layer after layer to the blobs made so far."""

    net: caffe_pb2.NetParameter
    surroundings: Surroundings
    device: torch.device
    blobs: "OrderedDict[str, Blob]" = field(default_factory=OrderedDict)
    memory: MemoryLog = field(default_factory=MemoryLog)

    def step(self, parameter: caffe_pb2.LayerParameter) -> Step:
        """One layer with its weights and tops."""
        layer = create_layer(_spec(parameter, self.net, self.surroundings))
        tops = _tops(layer, self.blobs)
        log_connections(layer, tops)
        bottom_shapes = [self.blobs[bottom].shape for bottom in parameter.bottom]
        layer.setup(*bottom_shapes)
        layer.spec.weights = ()  # which would keep the file's copies, when the layer's blobs are others long since
        _take_blobs_of_the_prototxt(layer)
        if self.device.type != "cpu":
            layer.to(self.device)  # looks through all of a layer, also where nothing moves
        step = Step(layer, list(parameter.bottom), tops, _loss_weights(layer, len(tops)))
        shapes = layer.top_shapes(*bottom_shapes)
        for top, shape, weight in zip(tops, shapes, step.loss_weights, strict=True):
            self._make_blob(top, shape, weight)
        layer.connect([self.blobs[top] for top in tops])
        self.memory.log_tops(layer, shapes, step.loss_weights)
        return step

    def _make_blob(self, name: str, shape: Shape, loss_weight: float) -> None:
        blob = self.blobs.setdefault(name, Blob(shape, self.device))
        blob.reshape(*shape)
        if loss_weight:
            blob.gradient.assign(torch.full(shape, loss_weight, device=self.device))


def _spec(parameter: caffe_pb2.LayerParameter, net: caffe_pb2.NetParameter, surroundings: Surroundings) -> LayerSpec:
    # A layer's own phase field wins over nothing: Net::Init sets it from the net where the layer has none.
    if not parameter.HasField("phase"):
        parameter.phase = net.state.phase
    return LayerSpec(
        parameter,
        caffe_pb2.Phase.Name(parameter.phase),
        surroundings.random_seed,
        surroundings.rank,
        surroundings.world_size,
        surroundings.allow_python_layers,
        surroundings.weights.get(parameter.name, ()),
    )


def _tops(layer: Layer, blobs: "OrderedDict[str, Blob]") -> list[str]:
    parameter = layer.spec.parameter
    for position, top in enumerate(parameter.top):
        in_place = position < len(parameter.bottom) and parameter.bottom[position] == top
        if (top in blobs and not in_place) or top in parameter.top[:position]:
            raise GraphError(f"{layer.spec}: top blob '{top}' is produced by multiple sources; rename one of them")
    if layer.is_loss and not parameter.top:
        return [f"(automatic) {layer.name}"]  # Layers with AutoTopBlobs get what they need.
    return list(parameter.top)


def _loss_weights(layer: Layer, tops: int) -> list[float]:
    """One a top: as given, else 1 for the first top of a loss layer (Layer::SetLossWeights)."""
    given = list(layer.spec.parameter.loss_weight)
    if given and len(given) != len(layer.spec.parameter.top):
        raise GraphError(
            f"{layer.spec}: loss_weight must be unspecified or specified once per top blob: "
            f"found {len(given)} for {len(layer.spec.parameter.top)} tops"
        )
    if given:
        return given
    return [1.0 if layer.is_loss and position == 0 else 0.0 for position in range(tops)]


def _take_blobs_of_the_prototxt(layer: Layer) -> None:
    given = layer.spec.parameter.blobs
    if not given:
        return
    if len(given) != len(layer.blobs):
        raise GraphError(f"{layer.spec}: expected {len(layer.blobs)} blobs in the net file, got {len(given)}")
    for source, target in zip(given, layer.blobs, strict=True):
        target.data.copy_(torch.tensor(list(source.data)).view(target.shape))
    del layer.spec.parameter.blobs[:]

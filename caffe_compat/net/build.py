"""Builds a Net from a NetParameter or a prototxt file (Net::Init)."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import nn

from caffe_compat.errors import CaffeError, GraphError, prefix_file
from caffe_compat.graph.builder import GraphBuilder
from caffe_compat.graph.phase_rules import filter_net
from caffe_compat.graph.splits import insert_splits
from caffe_compat.graph.step import Step
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.data.base_data import PrefetchingData
from caffe_compat.layers.data.in_step import check_in_step
from caffe_compat.layers.registry import require_types
from caffe_compat.net.blob import Blob
from caffe_compat.net.collector_paused import collector_paused
from caffe_compat.net.device import current_device
from caffe_compat.net.gradients_needed import find_needs
from caffe_compat.net.log_build import MemoryLog, log_connections, log_parameters, log_result
from caffe_compat.net.net import Net
from caffe_compat.net.own_copies import Arrays, blobs_to_keep, copied_beside
from caffe_compat.net.shared_params import collect_parameters
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import same_shape
from caffe_compat.proto.read import read_net, read_weights


@dataclass(frozen=True)
class Surroundings:
    """Settings of a net that its prototxt does not contain."""

    device: torch.device | None = None  # None: the device of Caffe's global mode
    random_seed: int | None = None
    rank: int = 0
    world_size: int = 1
    allow_python_layers: bool = False
    weights: Arrays = field(default_factory=dict)  # by layer name: blobs used instead of running fillers


@collector_paused()
def load_net(
    path: str,
    phase: str,
    surroundings: Surroundings = Surroundings(),
    level: int = 0,
    stages: tuple[str, ...] = (),
    weights: str | None = None,
) -> Net:
    """Builds the net of a prototxt file for a phase, level and stages; stages of the file's `state` are added.

    Copies weights by layer name from the file `weights`; fillers are skipped for blobs that this file holds.
    Raises CaffeError, with the file's name in the message, for a file that cannot be read or built.
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
    """Builds a net: filters layers by state, inserts Splits, creates and connects layers, finds where gradients go."""
    filtered = filter_net(parameter, state)
    require_types(map(LayerSpec, filtered.layer))
    log_parameters(filtered)
    filtered = insert_splits(filtered)
    device = surroundings.device or current_device()
    blobs: OrderedDict[str, Blob] = OrderedDict()
    steps = _steps(filtered, GraphBuilder(partial(_spec, filtered, surroundings), device=device), blobs, device)
    layers = [step.layer for step in steps]
    readers = [layer for layer in layers if isinstance(layer, PrefetchingData)]
    if len(readers) > 1:
        check_in_step(readers)
    net = Net(filtered, steps, blobs, collect_parameters(layers), device)
    net.apply_needs(find_needs(layers, [step.loss_weights for step in steps], filtered.force_backward))
    log_result(net)
    return net


def _steps(
    net: caffe_pb2.NetParameter, builder: GraphBuilder, blobs: "OrderedDict[str, Blob]", device: torch.device
) -> list[Step]:
    """Creates the layers in order and adds their top blobs to `blobs`; logs Caffe's lines about each layer."""
    memory = MemoryLog()
    steps = []
    for parameter in net.layer:
        layer = builder.create(parameter)
        log_connections(layer, builder.top_names(layer))
        step = builder.set_up(layer)
        _take_blobs_of_the_prototxt(layer)
        for top, shape, weight in zip(step.tops, step.top_shapes, step.loss_weights, strict=True):
            blob = blobs.setdefault(top, Blob(shape, device))
            blob.reshape(*shape)
            if weight:
                blob.gradient.assign(torch.full(shape, weight, device=device))
        layer.connect([blobs[top] for top in step.tops])
        memory.log_tops(layer, step.top_shapes, step.loss_weights)
        steps.append(step)
    return steps


def _spec(net: caffe_pb2.NetParameter, surroundings: Surroundings, parameter: caffe_pb2.LayerParameter) -> LayerSpec:
    # Net::Init does the same: a layer without a `phase` field gets the phase of the net.
    if not parameter.HasField("phase"):
        parameter.phase = net.state.phase
    return LayerSpec(
        parameter,
        caffe_pb2.Phase.Name(parameter.phase),
        surroundings.random_seed,
        surroundings.rank,
        surroundings.world_size,
        surroundings.allow_python_layers,
        partial(_given_blob, surroundings.weights),
    )


def _given_blob(
    weights: Arrays, spec: LayerSpec, index: int, shape: Sequence[int], learnable: bool
) -> nn.Parameter | None:
    """Returns the weights file's blob if its shape fits, else None; copying the weights later reports the error."""
    arrays = weights.get(spec.name, [])
    if index >= len(arrays) or not same_shape(arrays[index].shape, tuple(shape)):
        return None
    return nn.Parameter(torch.from_numpy(arrays[index]).reshape(tuple(shape)), learnable)


def _take_blobs_of_the_prototxt(layer: Layer) -> None:
    """Copies blobs written in the net file itself to the layer, and removes them from the layer's message."""
    given = layer.spec.parameter.blobs
    if not given:
        return
    if len(given) != len(layer.blobs):
        raise GraphError(f"{layer.spec}: expected {len(layer.blobs)} blobs in the net file, got {len(given)}")
    for source, target in zip(given, layer.blobs, strict=True):
        target.data.copy_(torch.tensor(list(source.data)).view(target.shape))
    del layer.spec.parameter.blobs[:]

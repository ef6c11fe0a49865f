"""Builds a Net from a NetParameter or a prototxt file; logs, line for line, what Caffe logs meanwhile (Net::Init)."""

import gc
import logging
import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from caffe_compat.errors import CaffeError, GraphError, prefix_file
from caffe_compat.graph.builder import GraphBuilder, filter_net, insert_splits
from caffe_compat.graph.wiring import Step
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.data.base_data import PrefetchingData
from caffe_compat.layers.data.in_step import check_in_step
from caffe_compat.layers.registry import require_types
from caffe_compat.logs.glog import DUMP, TERMINAL
from caffe_compat.net.blob import Blob
from caffe_compat.net.gradients import find_needs
from caffe_compat.net.net import Net
from caffe_compat.net.settings import DEFAULT_SURROUNDINGS, Surroundings, current_device
from caffe_compat.net.weights import Arrays, blobs_to_keep, collect_parameters, copied_beside
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import same_shape
from caffe_compat.proto.read import read_net, read_weights
from caffe_compat.proto.text import format_text


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pauses the garbage collector while many long-lived objects are made; repeated scans of them would be wasted.

    Afterwards the objects are in the oldest generation, as if two collections had run.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            _make_old()
            gc.enable()


def _make_old() -> None:
    """Moves all objects to the oldest generation; does nothing if the program froze objects, which stay frozen."""
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()


#: `logger` writes Caffe's long dump to the log; a terminal shows only the one line of `summary`.
logger = logging.getLogger(DUMP)
summary = logging.getLogger(TERMINAL)

BYTES_A_VALUE = 4


def log_parameters(net: caffe_pb2.NetParameter) -> None:
    """Logs the filtered net as prototxt."""
    if logger.isEnabledFor(logging.INFO):
        logger.info("Initializing net from parameters: \n%s", format_text(net).rstrip())


def log_connections(layer: Layer, tops: Sequence[str]) -> None:
    """Logs the layer's name and the blobs that the layer reads and writes."""
    bottoms = list(layer.spec.parameter.bottom)
    logger.info("Creating Layer %s", layer.name)
    for bottom in bottoms:
        logger.info("%s <- %s", layer.name, bottom)
    for position, top in enumerate(tops):
        in_place = position < len(bottoms) and bottoms[position] == top
        logger.info("%s -> %s%s", layer.name, top, " (in-place)" if in_place else "")


class MemoryLog:
    """Logs the shapes of tops and a running sum of the memory that they need in float32, in bytes."""

    def __init__(self) -> None:
        self.values = 0

    def log_tops(self, layer: Layer, shapes: Sequence[Shape], loss_weights: Sequence[float]) -> None:
        """Logs the tops of one layer, their loss weights and the running sum."""
        self.values += sum(map(math.prod, shapes))
        if not logger.isEnabledFor(logging.INFO):
            return
        logger.info("Setting up %s", layer.name)
        for shape, weight in zip(shapes, loss_weights, strict=True):
            logger.info("Top shape: %s", " ".join([*map(str, shape), f"({math.prod(shape)})"]))
            if weight:
                logger.info("    with loss weight %g", weight)
        logger.info("Memory required for data: %d", self.values * BYTES_A_VALUE)


def log_result(net: Net) -> None:
    """Logs which layers need backward and which blobs are the net's outputs; one summary line for terminals."""
    for step in reversed(net.steps):
        verdict = "needs backward computation." if step.needs_backward else "does not need backward computation."
        logger.info("%s %s", step.layer.name, verdict)
    for output in net.outputs:
        logger.info("This network produces output %s", output)
    logger.info("Network initialization done.")
    if summary.isEnabledFor(logging.INFO):
        numbers = sum(blob.numel() for step in net.steps for blob in step.layer.blobs)
        outputs = ", ".join(net.outputs) or "none"
        summary.info("Net '%s': %d layers, %s weights, outputs: %s", net.name, len(net.steps), f"{numbers:,}", outputs)


@collector_paused()
def load_net(
    path: str,
    phase: str,
    surroundings: Surroundings = DEFAULT_SURROUNDINGS,
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
    parameter: caffe_pb2.NetParameter, state: caffe_pb2.NetState, surroundings: Surroundings = DEFAULT_SURROUNDINGS
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
    learnable = collect_parameters(layers, multipliers_may_differ=filtered.HasField("mem_param"))
    net = Net(filtered, steps, blobs, learnable, device)
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

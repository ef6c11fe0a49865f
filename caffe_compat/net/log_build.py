"""What Caffe logs while it builds a net (net.cpp, Net::Init), line for line."""

import logging
import math
from collections.abc import Sequence

from caffe_compat.layers.base import Layer, Shape
from caffe_compat.logs.glog import DUMP, TERMINAL
from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.text import format_text

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

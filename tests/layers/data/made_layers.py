"""Data layers from prototxt text, with a seed."""

from pathlib import Path

import numpy as np
import torch
from google.protobuf import text_format

from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import create_layer
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.proto import caffe_pb2

GOLDENS = Path(__file__).resolve().parents[2] / "goldens"


def make_layer(
    text: str, phase: str = "TRAIN", tops: int = 2, seed: int | None = 5, rank: int = 0, world_size: int = 1
) -> Layer:
    """The layer `data` of this text, with tops top0, top1, ..."""
    parameter = text_format.Parse(text, caffe_pb2.LayerParameter())
    parameter.name = parameter.name or "data"
    if not parameter.top:
        parameter.top.extend(f"top{number}" for number in range(tops))
    return create_layer(LayerSpec(parameter, phase, seed, rank, world_size))


def take(layer: torch.nn.Module, count: int) -> list[tuple[np.ndarray, ...]]:
    """The tops of `count` batches, copied."""
    return [tuple(top.numpy().copy() for top in layer()) for _ in range(count)]


def labels(layer: torch.nn.Module, count: int) -> list[float]:
    """The second tops of `count` batches, end to end."""
    return [float(label) for tops in take(layer, count) for label in tops[1].flat]


def assert_resumes(layer: Layer, again: Layer, batches: int = 3) -> None:
    """A second layer that gets the first one's state gives, byte for byte, what the first gives next."""
    take(layer, 2)
    state = layer.state()
    expected = take(layer, batches)
    take(again, 1)
    again.restore(state)
    for found, wanted in zip(take(again, batches), expected, strict=True):
        for top, other in zip(found, wanted, strict=True):
            assert top.tobytes() == other.tobytes()

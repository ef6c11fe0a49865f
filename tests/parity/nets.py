"""Small nets for parity tests, built from text, with seeded weights that are nowhere at their defaults."""

import numpy as np
import torch
from google.protobuf import text_format

from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2

#: Statistics must be positive; a scale factor other than 1 shows whether it is used.
STATISTICS = {"BatchNorm": ("mean", "positive", "factor"), "BN": ("mean", "mean", "mean", "positive")}


def net_of(text: str, phase: str = "TEST", seed: int = 3) -> Net:
    """The net of a prototxt's text, with weights drawn by a seed and each layer's name (so copies have the same)."""
    parameter = text_format.Parse(text, caffe_pb2.NetParameter())
    net = build_net(parameter, caffe_pb2.NetState(phase=phase))
    for step in net.steps:
        for number, blob in enumerate(step.layer.blobs):
            kinds = STATISTICS.get(step.layer.spec.type, ())
            kind = kinds[number] if number < len(kinds) else "weight"
            blob.data.copy_(torch.from_numpy(_values(kind, tuple(blob.shape), f"{seed}{step.layer.name}{number}")))
    return net


def _values(kind: str, shape: tuple[int, ...], name: str) -> np.ndarray:
    random = np.random.default_rng(list(name.encode()))
    made = {
        "weight": lambda: random.normal(0, 0.4, shape),
        "mean": lambda: random.normal(0, 2, shape),
        "positive": lambda: random.uniform(0.2, 3, shape),
        "factor": lambda: np.full(shape, 2.5),
    }
    return made[kind]().astype(np.float32)


def inputs_of(net: Net, seed: int = 5) -> dict[str, np.ndarray]:
    """Seeded inputs of about unit size."""
    random = np.random.default_rng(seed)
    return {name: random.normal(0, 1, net.blobs[name].shape).astype(np.float32) for name in net.inputs}

"""Generated messages of a known kind, and the nets that Caffe builds of them."""

from collections.abc import Mapping
from typing import Any

import torch
from google.protobuf.message import Message

from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.net.settings import Surroundings
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.upgrade import upgrade_net
from prototxt_gen import generate

#: Options of the generator by name: texts, numbers and switches.
Options = dict[str, Any]


def net_of(files: Mapping[str, Message], ending: str = "") -> caffe_pb2.NetParameter:
    """Returns the only file whose name has the ending, which must be a net."""
    (message,) = (message for name, message in files.items() if name.endswith(ending))
    assert isinstance(message, caffe_pb2.NetParameter)
    return message


def solver_of(files: Mapping[str, Message]) -> caffe_pb2.SolverParameter:
    """Returns the first of the files that is a solver."""
    return next(message for message in files.values() if isinstance(message, caffe_pb2.SolverParameter))


def predicting_net(**options: Any) -> caffe_pb2.NetParameter:
    """Returns the net that predicts, which is the only file of `--step test`."""
    return net_of(generate(**options | {"step": "test"}))


def training_net(**options: Any) -> caffe_pb2.NetParameter:
    """Returns the training net of options that name one step."""
    return net_of(generate(**options), "trainval.prototxt")


def take_data_layers(message: caffe_pb2.NetParameter) -> list[str]:
    """Removes the Data layers from a net; returns the blobs that they filled, without repetition."""
    taken = list(dict.fromkeys(top for layer in message.layer if layer.type == "Data" for top in layer.top))
    kept = [layer for layer in message.layer if layer.type != "Data"]
    del message.layer[:]
    message.layer.extend(kept)
    return taken


def built(message: caffe_pb2.NetParameter, phase: caffe_pb2.Phase = caffe_pb2.TEST, seed: int = 5) -> Net:
    """Builds a generated net with first weights that follow from the seed, and with usable statistics."""
    upgrade_net(message)
    torch.manual_seed(seed)  # from which fillers draw
    settings = Surroundings(random_seed=seed, allow_python_layers=True)
    net = build_net(message, caffe_pb2.NetState(phase=phase), settings)
    give_statistics(net)
    return net


def give_statistics(net: Net) -> None:
    """Unit variances, as a step would leave them; BatchNorm starts with zeros, which overflow where they are in use."""
    for layer, blobs in net.params.items():
        if net.step_of(layer).layer.spec.parameter.type == "BatchNorm":
            blobs[1].data[...] = blobs[2].data[...] = 1

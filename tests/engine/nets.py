"""Small nets for the engine tests."""

import torch
from google.protobuf import text_format

from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.net.settings import DEFAULT_SURROUNDINGS, Surroundings
from caffe_compat.proto import caffe_pb2


def build(text: str, phase: str = "TRAIN", seed: int = 1, surroundings: Surroundings = DEFAULT_SURROUNDINGS) -> Net:
    """A float32 net with seeded weights, statistics included, and seeded inputs."""
    torch.manual_seed(seed)
    parameter = text_format.Parse(text, caffe_pb2.NetParameter())
    return seeded(build_net(parameter, caffe_pb2.NetState(phase=phase), surroundings))


def seeded(net: Net) -> Net:
    """Random running statistics, slopes and inputs; labels are 0 or 1.

    Biases are not 0: a channel that is constant over the batch would put a ReLU at 0, where rounding decides.
    """
    for step in net.steps:
        if step.layer.spec.type in ("BatchNorm", "BN", "Scale"):
            for parameter in step.layer.blobs:
                parameter.data.copy_(torch.rand_like(parameter) + 0.5)
    for name in net.inputs:
        blob = net.blobs[name]
        values = torch.randn(blob.shape)
        blob.assign(((values > 0).float() if "label" in name else values).to(net.device))
    return net


def double(net: Net) -> Net:
    """The same net in float64, where engines must agree to the last digits."""
    net.double()
    for name in net.inputs:
        net.blobs[name].assign(net.blobs[name].value.tensor().double())
    return net

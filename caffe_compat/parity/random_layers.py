"""Random layers: their tops cannot be compared, so our layers repeat the other side's choices."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from caffe_compat.graph.wiring import Step, Wiring
from caffe_compat.net.net import Net
from caffe_compat.parity.recording import Recording
from caffe_compat.proto import caffe_pb2


def is_source(step: Step) -> bool:
    """Whether a layer makes or reads data, so that each run gives other values."""
    return not step.bottoms and not step.layer.is_input


def is_random(step: Step) -> bool:
    """Whether the layer uses random numbers, so that the two sides differ."""
    parameter = step.layer.spec.parameter
    if parameter.type == "DummyData":
        return any(filler.type != "constant" for filler in parameter.dummy_data_param.data_filler)
    if parameter.dropout_param.sample_weights_test:
        return True
    if step.layer.phase != "TRAIN":
        return False
    return is_source(step) or parameter.pooling_param.pool == caffe_pb2.PoolingParameter.STOCHASTIC


@contextmanager
def dropouts_follow(net: Net, other: Recording) -> Iterator[None]:
    """Makes Dropout layers at TRAIN drop the same elements as the other side, so that later layers can be compared."""
    followed = []
    last = Wiring.of_steps(net.steps).last
    for index, step in enumerate(net.steps):
        theirs = other.top(step.layer.name, step.tops[0], last[step.tops[0]][0] == index) if step.tops else None
        if step.layer.spec.type == "Dropout" and step.layer.phase == "TRAIN" and isinstance(theirs, np.ndarray):
            kept = torch.tensor(theirs != 0, dtype=torch.float32, device=net.device)
            ratio = step.layer.spec.parameter.dropout_param.dropout_ratio
            step.layer.forward = _multiplied(kept / (1 - ratio))
            followed.append(step.layer)
    try:
        yield
    finally:
        for layer in followed:
            del layer.forward


def _multiplied(mask: Tensor) -> Callable[..., Tensor]:
    return lambda bottom: bottom * mask

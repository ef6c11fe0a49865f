"""Whole nets of layers that meet by chance: shapes, both engines, gradients by differences, both file formats.

More of them: `pytest tests/net --random-nets 1000`.
"""

import pytest
import torch
from google.protobuf import text_format
from torch import Tensor

from caffe_compat.engine.create import create_engine
from caffe_compat.layers.loss.multinomial_logistic_loss import LEAST_PROBABILITY
from caffe_compat.net.blob import gradient_of
from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.text import format_text
from tests.engine.nets import double
from tests.engine.test_fast import relative
from tests.net.random_nets import random_net

pytestmark = pytest.mark.slow

#: Both engines do the same in float64; what is left is the order of sums, through layers that divide by small numbers.
ENGINES = 1e-7
#: A central difference over these steps errs by its square and by rounding over it; a kink in one step is not in both.
STEPS = (1e-6, 1e-7)
DIFFERENCES = 1e-5
#: Caffe's backward divides by the distance + 1e-4.
DIFFERENCES_OF_CONTRASTIVE_LOSS = 1e-3


def build(parameter: caffe_pb2.NetParameter) -> Net:
    """The net in float64 with seeded weights."""
    torch.manual_seed(1)
    net = double(build_net(parameter, caffe_pb2.NetState(phase=parameter.state.phase)))
    for step in net.steps:
        if step.layer.spec.type in ("BatchNorm", "BN"):
            for blob in step.layer.blobs:
                blob.data.copy_(torch.rand_like(blob) + 0.5)
    return net


def _values(name: str, shape: tuple[int, ...]) -> Tensor:
    if name.startswith("label"):
        return torch.randint(0, 3, shape).double()
    if name.startswith(("bits", "continues")):
        bits = torch.randint(0, 2, shape).double()
        bits[0] = float(name.startswith("bits"))  # no sequence goes on from the last batch; no batch is filtered empty
        return bits
    return torch.randn(shape, dtype=torch.float64)


def run(net: Net, engine: str, backward: bool = True) -> float:
    """One pass on seeded inputs that suit their readers; a layer may have run in place on those before."""
    torch.manual_seed(2)
    for name in net.inputs:
        net.blobs[name].assign(_values(name, net.blobs[name].shape))
    net.clear_parameter_gradients()
    created = create_engine(engine, net)
    return float(created.forward_backward() if backward else created.forward())


def has_random_masks(net: Net) -> bool:
    return net.phase == "TRAIN" and any(step.layer.spec.type == "Dropout" for step in net.steps)


def test_shapes_are_known_before_the_run(net_seed: int) -> None:
    net = build(random_net(net_seed))
    # What a Filter lets through depends on values.
    filtered = {top for step in net.steps if step.layer.spec.type == "Filter" for top in step.tops}
    for step in net.steps:
        if filtered.intersection(step.bottoms):
            filtered.update(step.tops)
    stated = {name: blob.shape for name, blob in net.blobs.items() if name not in filtered}
    run(net, "exact", backward=False)
    assert {name: net.blobs[name].shape for name in stated} == stated


def test_engines_agree(net_seed: int) -> None:
    exact, fast = build(random_net(net_seed)), build(random_net(net_seed))
    if has_random_masks(exact):
        return  # layouts in memory differ, so masks do
    assert run(fast, "fast") == pytest.approx(run(exact, "exact"), rel=1e-5)  # sums of float32
    for output in exact.outputs:
        assert relative(fast.blobs[output].value.tensor(), exact.blobs[output].value.tensor()) < ENGINES, output
    largest = max([1e-6, *(float(gradient_of(each.parameter).abs().max()) for each in exact.learnable)])
    for mine, theirs in zip(fast.learnable, exact.learnable, strict=True):
        difference = (gradient_of(mine.parameter) - gradient_of(theirs.parameter)).abs().max()
        assert float(difference) <= ENGINES * largest, mine.label


def is_flat_at_a_bound(net: Net) -> bool:
    """Whether a loss bounds a probability, as Caffe does: the loss is then flat there, but its gradient goes on."""
    for step in net.steps:
        bottoms = [net.blobs[bottom].value.tensor() for bottom in step.bottoms]
        if step.layer.spec.type == "InfogainLoss":
            bottoms[0] = bottoms[0].softmax(1)
        if step.layer.spec.type in ("InfogainLoss", "MultinomialLogisticLoss") and bottoms[0].min() < LEAST_PROBABILITY:
            return True
    return False


def test_gradients_are_differences(net_seed: int) -> None:
    net = build(random_net(net_seed))
    run(net, "exact")
    if is_flat_at_a_bound(net):
        return
    contrasts = any(step.layer.spec.type == "ContrastiveLoss" for step in net.steps)
    tolerance = DIFFERENCES_OF_CONTRASTIVE_LOSS if contrasts else DIFFERENCES
    weights = {each.label: each.parameter for each in net.learnable if each.parameter.requires_grad}
    gradients = {label: gradient_of(weight).clone() for label, weight in weights.items()}
    for label, weight in weights.items():
        direction = torch.randn_like(weight)
        expected = float((gradients[label] * direction).sum())
        slopes = [slope(net, weight, direction, step) for step in STEPS]
        near = any(pytest.approx(expected, rel=tolerance, abs=tolerance) == found for found in slopes)
        assert near, f"{label}: {expected}, by differences {slopes}"


def objective(net: Net) -> float:
    """The weighted sum of losses, which the engine itself rounds to float32."""
    return sum(
        weight * float(net.blobs[top].value.tensor().sum())
        for step in net.steps
        for top, weight in zip(step.tops, step.loss_weights, strict=True)
        if weight
    )


def slope(net: Net, weight: torch.nn.Parameter, direction: Tensor, step: float) -> float:
    """d loss along a direction, by a central difference."""
    losses = []
    start = weight.detach().clone()
    for sign in (1, -1):
        weight.data.copy_(start + sign * step * direction)
        run(net, "exact", backward=False)
        losses.append(objective(net))
    weight.data.copy_(start)
    return (losses[0] - losses[1]) / (2 * step)


def test_files_hold_the_net(net_seed: int) -> None:
    net = random_net(net_seed)
    assert text_format.Parse(format_text(net), caffe_pb2.NetParameter()) == net
    assert caffe_pb2.NetParameter.FromString(net.SerializeToString()) == net

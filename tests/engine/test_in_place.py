"""Layers that overwrite a bottom, beside the exact engine; and layers that must not."""

import pytest
import torch

from caffe_compat.engine.create import create_engine
from caffe_compat.engine.passes.in_place import in_place
from caffe_compat.engine.plan import plan_steps
from tests.engine.nets import build, double

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 4 } } }'


def convolution(top: str, bottom: str = "x") -> str:
    return f"""layer {{ name: "{top}" type: "Convolution" bottom: "{bottom}" top: "{top}" convolution_param {{
      num_output: 3 kernel_size: 3 pad: 1 weight_filler {{ type: "xavier" }} bias_filler {{ value: 0.25 }} }} }}"""


def fixed(top: str) -> str:
    return convolution(top).replace(
        'type: "Convolution"', 'type: "Convolution" param { lr_mult: 0 } param { lr_mult: 0 }'
    )


def added(*bottoms: str, more: str = "", top: str = "sum") -> str:
    named = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
    return f'layer {{ name: "{top}" type: "Eltwise" {named} top: "{top}" {more} }}'


def rectified(bottom: str, more: str = "") -> str:
    return f'layer {{ name: "relu" type: "ReLU" bottom: "{bottom}" top: "sum" {more} }}'


LOSS = """layer { name: "loss" type: "Reduction" bottom: "sum" top: "loss" loss_weight: 1
  reduction_param { operation: SUMSQ } }"""
TWO = INPUT + convolution("a") + convolution("b")
#: (net, how many layers overwrite a bottom)
NETS = {
    "two convolutions": (TWO + added("a", "b"), True),
    "the second only": (INPUT + convolution("b") + added("x", "b"), True),
    "three": (TWO + convolution("c") + added("a", "b", "c"), True),
    "only the third": (INPUT + convolution("c") + added("x", "x", "c"), False),
    "one bottom twice": (INPUT + convolution("a") + added("a", "a"), False),
    "read elsewhere": (
        INPUT
        + convolution("a")
        + convolution("b", "a")
        + added("a", "x")
        + 'layer { name: "q" type: "Silence" bottom: "b" }',
        False,
    ),
    "behind a sigmoid": (
        INPUT + convolution("a") + 'layer { name: "s" type: "Sigmoid" bottom: "a" top: "s" }' + added("s", "x"),
        False,
    ),
    "a ReLU behind the sum": (TWO + added("a", "b", top="t") + rectified("t"), 2),
    "a leaky ReLU": (TWO + added("a", "b", top="t") + rectified("t", "relu_param { negative_slope: 0.1 }"), 1),
    "fixed statistics, which hand on a view": (
        INPUT + 'layer { name: "n" type: "BatchNorm" bottom: "x" top: "n" }' + convolution("a") + added("n", "a"),
        1,
    ),
    "a fixed convolution": (INPUT + convolution("a") + fixed("b") + added("b", "x", "a"), 0),
    "coefficients": (TWO + added("a", "b", more="eltwise_param { coeff: 2 coeff: -0.5 }"), False),
    "product": (TWO + added("a", "b", more="eltwise_param { operation: PROD }"), False),
}


@pytest.mark.parametrize("name", NETS)
def test_overwrites_where_it_may_and_changes_no_result(name: str) -> None:
    text, expected = NETS[name]
    exact, fast = double(build(text + LOSS)), double(build(text + LOSS))
    plan = plan_steps(fast.steps, fast.outputs, learns=True)
    overwrites = [
        one.run is not other.run for one, other in zip(in_place(plan).operations, plan.operations, strict=True)
    ]
    assert sum(overwrites) == expected
    losses = [create_engine(kind, net).forward_backward() for kind, net in (("exact", exact), ("fast", fast))]
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=1e-6)
    for ours, theirs in zip(fast.learnable, exact.learnable, strict=True):
        torch.testing.assert_close(ours.parameter.grad, theirs.parameter.grad, rtol=1e-9, atol=1e-12)


def test_a_requested_bottom_keeps_its_values() -> None:
    net, alone = build(TWO + added("a", "b")), build(TWO + added("a", "b"))
    create_engine("fast", net, ["a", "sum", "b"]).forward()
    create_engine("exact", alone).forward()
    for blob in ("a", "b", "sum"):
        torch.testing.assert_close(
            net.blobs[blob].value.tensor(), alone.blobs[blob].value.tensor(), rtol=1e-5, atol=1e-6
        )


def test_bottoms_of_two_precisions_are_summed_in_the_wider_one() -> None:
    net = build(INPUT + convolution("a") + added("a", "x") + LOSS)
    (operation,) = [one for one in in_place(plan_steps(net.steps, net.outputs)).operations if one.layer.name == "sum"]
    half, full = torch.full((2, 3, 5, 4), 1.5, dtype=torch.bfloat16), torch.full((2, 3, 5, 4), 1e-3)
    top = operation.run(half, full)
    assert isinstance(top, torch.Tensor)
    assert top.dtype == torch.float32
    torch.testing.assert_close(top, torch.full((2, 3, 5, 4), 1.501))
    assert bool((half == 1.5).all())

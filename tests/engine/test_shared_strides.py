"""Convolutions that share the choice of pixels, beside the exact engine; and convolutions that must not."""

import pytest
import torch

from caffe_compat.engine.create import create_engine
from caffe_compat.engine.passes.share_bottoms import _share_strides
from caffe_compat.engine.plan import plan_steps
from caffe_compat.errors import ShapeError
from tests.engine.nets import build, double

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 7 dim: 6 } } }'
FILLERS = 'weight_filler { type: "gaussian" std: 0.4 } bias_filler { type: "constant" value: 0.25 }'


def convolution(top: str, fields: str, bottom: str = "r") -> str:
    return f"""layer {{ name: "{top}" type: "Convolution" bottom: "{bottom}" top: "{top}"
      convolution_param {{ {fields} {FILLERS} }} }}"""


STEM = INPUT + convolution("s", "num_output: 5 kernel_size: 3 pad: 1", "x")
RELU = 'layer { name: "r" type: "ReLU" bottom: "s" top: "r" }'


def losses(*tops: str) -> str:
    return "".join(
        f'layer {{ name: "loss_{top}" type: "Reduction" bottom: "{top}" top: "loss_{top}" loss_weight: 1 '
        "reduction_param { operation: SUMSQ } }"
        for top in tops
    )


ONE = "num_output: 4 kernel_size: 1"
#: (fields of convolutions that all read one value, how many operations the pass adds)
NETS = {
    "two": ([f"{ONE} stride: 2", "num_output: 6 kernel_size: 1 stride: 2 bias_term: false"], 1),
    "three": ([f"{ONE} stride: 3"] * 3, 1),
    "another stride in height": ([f"{ONE} stride_h: 3 stride_w: 1"] * 2, 1),
    "two pairs": ([f"{ONE} stride: 2", f"{ONE} stride: 3", f"{ONE} stride: 2", f"{ONE} stride: 3"], 2),
    "strides that differ": ([f"{ONE} stride: 2", f"{ONE} stride: 3"], 0),
    "one alone": ([f"{ONE} stride: 2", ONE], 0),
    "a larger kernel": ([f"{ONE} stride: 2", "num_output: 4 kernel_size: 2 stride: 2"], 0),
    "padding": ([f"{ONE} stride: 2 pad: 1"] * 2, 0),
    "no stride": ([ONE] * 2, 0),
    "groups": (["num_output: 10 kernel_size: 1 stride: 2 group: 5"] * 2, 1),
    "a stride over everything": ([f"{ONE} stride: 9"] * 2, 1),
}


@pytest.mark.parametrize("name", NETS)
def test_shares_where_it_may_and_changes_no_result(name: str) -> None:
    fields, expected = NETS[name]
    tops = [f"c{number}" for number in range(len(fields))]
    text = STEM + RELU + "".join(map(convolution, tops, fields)) + losses(*tops)
    exact, fast = double(build(text)), double(build(text))
    plan = plan_steps(fast.steps, fast.outputs, learns=True)
    assert len(_share_strides(plan).operations) - len(plan.operations) == expected
    loss = [create_engine(kind, net).forward_backward() for kind, net in (("exact", exact), ("fast", fast))]
    assert loss[1].item() == pytest.approx(loss[0].item(), rel=1e-6)
    for ours, theirs in zip(fast.learnable, exact.learnable, strict=True):
        torch.testing.assert_close(ours.parameter.grad, theirs.parameter.grad, rtol=1e-9, atol=1e-12)


def test_nothing_changes_where_nothing_learns() -> None:
    net = build(STEM + RELU + convolution("a", f"{ONE} stride: 2") + convolution("b", f"{ONE} stride: 2"))
    plan = plan_steps(net.steps, net.outputs, learns=False)
    assert _share_strides(plan).operations == plan.operations


def test_another_number_of_channels_is_refused_by_the_layers_name() -> None:
    text = STEM + RELU + convolution("a", f"{ONE} stride: 2") + convolution("b", f"{ONE} stride: 2") + losses("a", "b")
    net = build(text)
    operations = _share_strides(plan_steps(net.steps, net.outputs)).operations
    (choice,) = [one for one in operations if one.outputs == ("r#1/2x2",)]
    with pytest.raises(ShapeError, match=r"layer 'a' .*expected 4 axes with 5 channels on axis 1.*\(2, 4, 7, 6\)"):
        choice.run(torch.zeros(2, 4, 7, 6))

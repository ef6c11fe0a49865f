"""Convolutions that add the gradient of others to their bottom's, beside the plan without that pass."""

import pytest
import torch

from caffe_compat.engine import fast
from caffe_compat.engine.fast import FastEngine
from caffe_compat.engine.passes.share_bottoms import _add_gradients, share_bottoms
from caffe_compat.engine.plan import plan_steps
from caffe_compat.net.net import Net
from tests.engine.nets import build, double

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 5 } } }'
ONE = "num_output: 8 kernel_size: 1 bias_term: false"


def convolution(top: str, bottom: str, fields: str = ONE) -> str:
    return f"""layer {{ name: "{top}" type: "Convolution" bottom: "{bottom}" top: "{top}"
      convolution_param {{ {fields} weight_filler {{ type: "gaussian" std: 0.4 }} }} }}"""


def added(*bottoms: str, top: str = "sum") -> str:
    named = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
    return f'layer {{ name: "{top}" type: "Eltwise" {named} top: "{top}" }}'


def loss(bottom: str = "sum") -> str:
    return f"""layer {{ name: "loss_{bottom}" type: "Reduction" bottom: "{bottom}" top: "loss_{bottom}" loss_weight: 1
      reduction_param {{ operation: SUMSQ }} }}"""


STEM = INPUT + convolution("s", "x", "num_output: 8 kernel_size: 3 pad: 1")
RELU = 'layer { name: "r" type: "ReLU" bottom: "a" top: "r" }'
#: (net, how many convolutions hand their bottom on)
NETS = {
    "residual": (STEM + convolution("a", "s") + RELU + convolution("b", "r") + added("b", "s") + loss(), 1),
    "two blocks": (
        STEM + convolution("a", "s") + added("a", "s", top="t") + convolution("b", "t") + added("t", "b") + loss(),
        2,
    ),
    "two convolutions": (STEM + convolution("a", "s") + convolution("b", "s") + added("a", "b") + loss(), 1),
    "an earlier reader": (STEM + added("s", "s", top="t") + convolution("a", "s") + added("a", "t") + loss(), 0),
    "a reader in place": (
        STEM
        + convolution("a", "s")
        + 'layer { name: "q" type: "ReLU" bottom: "s" top: "q" }'
        + added("a", "q")
        + loss(),
        1,
    ),
    "a loss": (STEM + convolution("a", "s") + loss("a") + loss("s"), 1),
    "a bias": (STEM + convolution("a", "s", "num_output: 8 kernel_size: 1") + added("a", "s") + loss(), 0),
    "a larger kernel": (
        STEM + convolution("a", "s", "num_output: 8 kernel_size: 3 pad: 1 bias_term: false") + added("a", "s") + loss(),
        0,
    ),
    "a fixed bottom": (
        STEM.replace('type: "Convolution"', 'type: "Convolution" param { lr_mult: 0 } param { lr_mult: 0 }')
        + convolution("a", "s")
        + convolution("b", "s")
        + added("a", "b")
        + loss(),
        0,
    ),
    "groups": (STEM + convolution("a", "s", f"{ONE} group: 2") + added("a", "s") + loss(), 0),
    "of the data": (INPUT + convolution("a", "x") + convolution("b", "x") + added("a", "b") + loss(), 0),
}


def trained(net: Net, precision: torch.dtype) -> dict[str, torch.Tensor]:
    engine = FastEngine(net, precision=precision)
    total = engine.forward_backward()
    gradients = [learnable.parameter.grad for learnable in net.learnable]
    return {"loss": total, **{str(number): one for number, one in enumerate(gradients) if one is not None}}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("precision", [torch.float64, torch.float32, torch.bfloat16])
def test_gradients_stay_the_same(name: str, precision: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    text, expected = NETS[name]
    plan = plan_steps(build(text).steps, build(text).outputs, learns=True)
    rewritten = _add_gradients(plan).operations
    assert sum(len(operation.outputs) == 2 for operation in rewritten) == expected

    def net() -> Net:
        return double(build(text)) if precision == torch.float64 else build(text)

    engines = torch.float32 if precision == torch.float64 else precision
    found = trained(net(), engines)
    monkeypatch.setattr(fast, "PASSES", tuple(one for one in fast.PASSES if one is not share_bottoms))
    plain = trained(net(), engines)
    assert found.keys() == plain.keys()
    assert len(plain) > 2
    for one, other in zip(found.values(), plain.values(), strict=True):
        if precision == torch.bfloat16:  # rounded once in place of twice
            torch.testing.assert_close(one, other, rtol=0.02, atol=0.01 * float(other.abs().max()))
        else:
            assert torch.equal(one, other)


def test_lower_precision_uses_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    sums: list[tuple[int, ...]] = []
    plain = torch.addmm

    def noted(*given: torch.Tensor) -> torch.Tensor:
        sums.append(given[0].shape)
        return plain(*given)

    monkeypatch.setattr(torch, "addmm", noted)
    trained(build(NETS["residual"][0]), torch.float32)
    assert not sums
    trained(build(NETS["residual"][0]), torch.bfloat16)
    assert sums == [(2 * 6 * 5, 8)]

"""GeneratorOptions that take a part of the paper away, for ablations and controls."""

import re

import pytest
import torch

from caffe_compat.errors import FieldError
from prototxt_gen import GeneratorOptions, count, generate
from tests.prototxt_gen.generated import Options, built, predicting_net, training_net

SMALL: Options = {"model": "resnet101_srn", "labels": 5, "backbone": "narrow", "width": 4, "head_width": 6,
                  "input_size": 104}  # fmt: skip


def small(**options):
    return built(predicting_net(**SMALL | options))


def run(net, seed=7):
    net.blobs["data"].data[...] = torch.randn(1, 3, 104, 104, generator=torch.Generator().manual_seed(seed)).numpy()
    net.forward_range(0, len(net.steps) - 1)
    return {name: torch.from_numpy(blob.data.copy()) for name, blob in net.blobs.items()}


@pytest.mark.parametrize("field", [15, 31, 63])
@pytest.mark.parametrize(("blob", "more"), [("conv6", 0), ("att_conv3", 16)])
def test_the_receptive_field_is_what_the_option_says(field, blob, more):
    """Measured: pixels whose change reaches one place of the map, with the attention's 3x3 adding 16 at stride 8."""
    net = small(receptive_field=field)
    steps = [step for step in net.steps if not step.layer.is_input]
    data = torch.randn(1, 3, 104, 104, generator=torch.Generator().manual_seed(1), requires_grad=True)
    values = {"data": data}
    for step in steps:
        if step.layer.spec.type == "ReLU":
            continue  # a ReLU hides pixels by chance and never adds one
        tops = step.layer(*(values[bottom] for bottom in step.bottoms))
        values.update(zip(step.tops, tops if isinstance(tops, tuple) else (tops,), strict=True))
        if blob in step.tops:
            break
    center = values[blob].shape[-1] // 2
    (gradient,) = torch.autograd.grad(values[blob][0, :, center, center].sum(), data)
    rows, columns = gradient[0].abs().sum(0).nonzero().unbind(1)
    assert (int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1) == (field + more, field + more)


def test_the_full_convolution_has_the_parameters_of_section_3_3():
    options = GeneratorOptions(model="resnet101_srn", labels=80, conv4="full")
    kernels = 2048 * 14 * 14 * 80
    assert 32.0e6 < kernels < 32.2e6  # "32 million" for 80 labels
    assert count(options)["regularization"] == kernels + 2048 + (2048 * 80 + 80)


def test_conv4_without_spatial_extent_does_not_see_where():
    net = small(conv4="point")
    maps = torch.rand(1, 5, 13, 13, generator=torch.Generator().manual_seed(2))

    def scores(weighted):
        values = {"srn_weighted": weighted}
        for step in net.steps:
            if all(bottom in values for bottom in step.bottoms) and step.bottoms:
                values[step.tops[0]] = step.layer(*(values[bottom] for bottom in step.bottoms))
        return values["y_sr"]

    rolled = torch.roll(maps, (4, -3), (2, 3))
    assert torch.allclose(scores(maps), scores(rolled), rtol=1e-5, atol=1e-6)
    net = small(conv4="grouped")
    assert not torch.allclose(scores(maps), scores(rolled), rtol=1e-2)


def test_uniform_attention_is_the_mean_over_space():
    values = run(small(attention="uniform"))
    assert torch.allclose(values["y_att"], values["srn_conv1"].mean((2, 3)), rtol=1e-5, atol=1e-6)


def test_alpha_starts_as_given_and_learns():
    net = small(learn_alpha=True, alpha=0.3)
    values = run(net)
    expected = 0.3 * values["y_cls"] + 0.7 * values["y_sr"].reshape(values["y_cls"].shape)
    assert torch.allclose(values["y"], expected, rtol=1e-5, atol=1e-6)
    message = training_net(**SMALL, learn_alpha=True, alpha=0.3, step="4")
    (alpha,) = (layer for layer in message.layer if layer.name == "alpha")
    assert (alpha.type, alpha.param[0].lr_mult) == ("Scale", 1)
    assert alpha.scale_param.filler.value == pytest.approx(0.3)


def test_rolled_maps_reach_the_spatial_part_and_nothing_else():
    net = small(alignment="rolled", random_seed=9)
    steps = {step.layer.name: step for step in net.steps}
    assert steps["srn_conv2"].bottoms == steps["srn_roll"].tops
    assert steps["srn_roll"].layer.spec.parameter.python_param.param_str == "9"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"receptive_field": 31, "backbone": "resnet"},
            "options: --receptive-field is of --backbone narrow alone; give both or neither",
        ),
        (
            {"receptive_field": 40},
            "options: --receptive-field must be 15 plus a multiple of 16 up to 511; found 40; the nearest is 47",
        ),
        (
            {"backbone": "", "layout": "released", "conv4": "full"},
            "options: --conv4 is of --layout paper alone; the released nets have no such part",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(FieldError, match=f"^{re.escape(message)}$"):
        generate(**SMALL | options)

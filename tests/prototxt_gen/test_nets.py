"""Which layers a step fixes, which losses it has, and what a predicting net gives out."""

import pytest

from prototxt_gen import generate
from tests.prototxt_gen.generated import Options, net_of, predicting_net, training_net

SMALL: Options = {"labels": 5, "depth": 26, "width": 16, "input_size": 96}


def trainval(step, **options):
    return training_net(**SMALL | {"model": "resnet101_srn", "step": str(step)} | options)


def part_of(name):
    if name.startswith(("att", "bn_att", "scale_att", "srn_conv1", "bn_srn_conv1")):
        return "attention"
    return "regularization" if name.startswith(("srn", "bn_srn", "scale_srn", "comb")) else "main"


def outputs(net):
    """Tops that no later layer reads, in Caffe's alphabetical order."""
    loose: set[str] = set()
    for layer in net.layer:
        loose -= set(layer.bottom)
        loose |= set(layer.top)
    return sorted(loose)


def learning_parts(net):
    """Parts with a learning rate; a part that learns in one layer and is fixed in another is an error."""
    rates: dict[str, set[bool]] = {}
    for layer in net.layer:
        if layer.type == "BatchNorm" or not layer.param:
            continue
        rates.setdefault(part_of(layer.name), set()).add(all(p.lr_mult > 0 for p in layer.param))
        if not layer.param[0].lr_mult:
            assert not any(p.lr_mult or p.decay_mult for p in layer.param)
    assert all(len(found) == 1 for found in rates.values())
    return {part for part, found in rates.items() if found == {True}}


LEARNS = {1: {"main"}, 2: {"attention"}, 3: {"regularization"}, 4: {"main", "attention", "regularization"}}


@pytest.mark.parametrize("step", LEARNS)
@pytest.mark.parametrize("norm", ["batchnorm", "bn"])
@pytest.mark.parametrize("layout", ["paper", "released"])
def test_only_the_steps_parts_learn(step, norm, layout):
    net = trainval(step, norm=norm, layout=layout, head_norm="bn")
    assert learning_parts(net) == LEARNS[step]
    for layer in net.layer:
        learns = part_of(layer.name) in LEARNS[step]
        if layer.type == "BatchNorm":
            assert [(p.lr_mult, p.decay_mult) for p in layer.param] == [(0, 0)] * 3
            assert layer.batch_norm_param.HasField("use_global_stats") != learns
            assert layer.batch_norm_param.HasField("moving_average_fraction") == learns
        if layer.type == "BN":
            assert layer.bn_param.frozen != learns
            assert len(layer.param) == 2


def test_bias_learns_twice_as_fast_and_does_not_decay():
    layer = next(layer for layer in trainval(2).layer if layer.name == "att_conv1")
    assert [(p.lr_mult, p.decay_mult) for p in layer.param] == [(1, 1), (2, 0)]


def test_rate_of_f_sr():
    layer = next(layer for layer in trainval(4, sr_lr_mult=1.5).layer if layer.name == "srn_conv3")
    assert [(p.lr_mult, p.decay_mult) for p in layer.param] == [(1.5, 1), (3, 0)]


@pytest.mark.parametrize(
    ("step", "losses", "silent"),
    [
        (1, {"loss_cls": "y_cls"}, []),
        (2, {"loss_att": "y_att"}, ["y_cls"]),
        (3, {"loss_sr": "y_sr"}, ["y_cls", "y_att"]),
        (4, {"loss": "y", "loss_att": "y_att"}, []),
    ],
)
def test_losses_of_the_steps(step, losses, silent):
    net = trainval(step)
    found = {m.name: list(m.bottom) for m in net.layer if m.type == "SigmoidCrossEntropyLoss"}
    assert found == {loss: [score, "label"] for loss, score in losses.items()}
    assert [name for m in net.layer if m.type == "Silence" for name in m.bottom] == silent
    assert outputs(net) == sorted(losses), "only losses are logged"


def test_released_losses_have_no_sum():
    net = trainval(4, finetune_losses="released")
    assert outputs(net) == ["loss_att", "loss_cls", "loss_sr"]
    assert "y" not in {layer.name for layer in net.layer}


def test_semantic_baseline_keeps_its_first_loss():
    files = generate(model="resnet101_semantic", **SMALL)
    assert outputs(net_of(files, "step_2_resnet101_semantic_trainval.prototxt")) == ["loss", "loss_cls"]
    assert list(net_of(files, "custom_resnet101_semantic_test.prototxt").input) == ["data"]


@pytest.mark.parametrize(
    ("model", "layout", "first"),
    [
        ("resnet101", "paper", "y_cls"),
        ("resnet101", "released", "caffe.InnerProduct_90"),
        ("resnet101_semantic", "paper", "y"),
        ("resnet101_srn", "paper", "y"),
        ("resnet101_srn", "released", "prob"),
        ("resnet101_srn_att", "paper", "y"),
        ("resnet101_srn_att", "released", "prob"),
    ],
)
@pytest.mark.parametrize("norm", ["batchnorm", "bn"])
def test_first_output_is_the_prediction(model, layout, first, norm):
    net = predicting_net(**SMALL, model=model, layout=layout, norm=norm)
    assert outputs(net)[0] == first
    assert list(net.input) == ["data"]
    assert list(net.input_shape[0].dim) == [1, 3, 96, 96]
    assert not any(layer.type in ("Data", "Input") for layer in net.layer)


def test_every_step_has_a_net_that_predicts():
    files = generate(model="resnet101_srn", **SMALL)
    firsts = {name: outputs(net)[0] for name, net in files.items() if name.endswith("test.prototxt")}
    assert firsts == {
        "step_1_resnet101_test.prototxt": "y_cls",
        "step_2_resnet101_att_test.prototxt": "y_att",
        "step_3_resnet101_srn_test.prototxt": "y",
        "custom_resnet101_srn_test.prototxt": "y",
    }

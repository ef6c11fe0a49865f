"""The generated nets in our runtime: they build, count as promised, and learn where the step says."""

import math

import pytest

from caffe_compat.proto import caffe_pb2
from prototxt_gen import PAPERS_MODELS, GeneratorOptions, count
from tests.prototxt_gen.generated import Options, built, predicting_net, training_net

SMALL: Options = {"labels": 5, "depth": 26, "width": 8, "input_size": 64}
VARIANTS = [
    {"backbone": backbone, "norm": norm, "layout": layout}
    for backbone in ("resnet", "preresnet")
    for norm in ("batchnorm", "bn")
    for layout in ("paper", "released")
]


def with_dummy_data(net, labels):
    """The same net on random images that carry every label."""
    shapes = {"data": ([3, 3, 64, 64], "gaussian"), "label": ([3, labels, 1, 1], "constant")}
    for layer in net.layer:
        if layer.type == "Data":
            shape, filler = shapes[layer.name]
            layer.type = "DummyData"
            layer.ClearField("transform_param")
            layer.ClearField("data_param")
            layer.dummy_data_param.shape.add(dim=shape)
            layer.dummy_data_param.data_filler.add(type=filler, value=1, std=1)
    return net


@pytest.mark.slow
@pytest.mark.parametrize("model", PAPERS_MODELS)
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(variant.values()))
def test_the_net_that_predicts_builds_and_counts(model, variant):
    net = built(predicting_net(**SMALL, **variant, model=model))
    learned = sum(
        math.prod(blob.shape)
        for layer, blobs in net.params.items()
        if net.step_of(layer).layer.spec.parameter.type != "BatchNorm"
        for blob in (blobs[:2] if net.step_of(layer).layer.spec.parameter.type == "BN" else blobs)
    )
    assert learned == sum(count(GeneratorOptions(**SMALL, **variant, model=model)).values())
    assert math.prod(net.blobs[min(net.outputs)].shape) == 5


@pytest.mark.parametrize("step", [1, 2, 3, 4])
@pytest.mark.parametrize("norm", ["batchnorm", "bn"])
def test_gradients_reach_what_learns_and_nothing_else(step, norm):
    message = training_net(**SMALL, norm=norm, model="resnet101_srn", step=str(step))
    net = built(with_dummy_data(message, labels=5), caffe_pb2.TRAIN)
    last = len(net.steps) - 1
    assert net.forward_range(0, last) > 0
    net.clear_parameter_gradients()
    net.backward_range(last, 0)
    fixed = {layer.name for layer in message.layer if layer.param and not any(p.lr_mult for p in layer.param)}
    moved = {layer for layer, blobs in net.params.items() if any(blob.diff.any() for blob in blobs)}
    assert moved == net.params.keys() - fixed

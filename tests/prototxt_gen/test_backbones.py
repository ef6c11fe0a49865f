import json
from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from torch.nn import functional

from caffe_compat.proto.dialects import srn_fork_pb2
from prototxt_gen import GeneratorOptions, count
from tests.prototxt_gen.generated import Options, built, predicting_net

GOLDENS = Path(__file__).parents[1] / "goldens"


def layers(**options):
    """The layers of the net that predicts, by name and in order."""
    return {layer.name: layer for layer in predicting_net(**options).layer}


def described(layer):
    """A layer as reference/resnet101_layers.json has it."""
    facts = {"name": layer.name, "type": layer.type, "bottom": list(layer.bottom), "top": list(layer.top)}
    if layer.type == "Convolution":
        conv = layer.convolution_param
        facts["conv"] = {
            "num_output": conv.num_output, "kernel": conv.kernel_size[0], "pad": conv.pad[0], "stride": conv.stride[0],
            "bias": conv.bias_term,
        }  # fmt: skip
    if layer.type == "Pooling":
        facts["pool"] = text_format.MessageToString(layer.pooling_param, as_one_line=True)
    return facts


def test_public_resnet_101_comes_out_exactly():
    public = json.loads((GOLDENS / "reference/resnet101_layers.json").read_text())
    public = public[: [layer["name"] for layer in public].index("fc1000")]
    generated = [described(layer) for layer in layers(model="resnet101", dataset="coco").values()]
    assert generated[:-1] == public
    assert generated[-1] == {"name": "cls_fc", "type": "InnerProduct", "bottom": ["pool5"], "top": ["y_cls"]}


def test_predicting_net_uses_global_statistics_and_learns_nothing():
    norm = layers(model="resnet101", dataset="coco")["bn4b22_branch2c"]
    assert norm.batch_norm_param.use_global_stats
    assert not norm.param


@pytest.mark.parametrize(
    ("depth", "last_of_stages"),
    [
        (26, ["res2b", "res3b", "res4b", "res5b"]),
        (50, ["res2c", "res3d", "res4f", "res5c"]),
        (101, ["res2c", "res3b3", "res4b22", "res5c"]),
        (152, ["res2c", "res3b7", "res4b35", "res5c"]),
    ],
)
@pytest.mark.parametrize("backbone", ["resnet", "preresnet"])
def test_blocks_are_named_as_in_the_public_nets(depth, last_of_stages, backbone):
    made = layers(model="resnet101_srn", labels=7, depth=depth, width=8, backbone=backbone)
    sums = [name for name, layer in made.items() if layer.type == "Eltwise" and name.startswith("res")]
    assert [[name for name in sums if name[3] == stage][-1] for stage in "2345"] == last_of_stages
    assert made["att_conv1"].bottom == made["srn_conv1"].bottom == [last_of_stages[2]]
    assert [made[f"res{stage}a_branch2c"].convolution_param.num_output for stage in "2345"] == [32, 64, 128, 256]


def test_resnet_107_has_two_more_blocks():
    made = layers(model="resnet107", labels=7)
    assert {"res5d", "res5e"} <= made.keys()
    assert "res5f" not in made
    assert made["pool5"].bottom == ["res5e"]


def test_pre_activation_blocks():
    made = layers(model="resnet101_srn", dataset="coco", backbone="preresnet")
    assert list(made["res2a_branch2a"].bottom) == ["pool1"], "the first block has no normalisation before it"
    assert list(made["bn2a"].bottom) == ["res2a"]
    assert list(made["bn2a"].top) == ["bn2a"], "the next block's shortcut needs the sum itself"
    assert list(made["res2b_branch2a"].bottom) == ["bn2a"]
    assert list(made["res2b"].bottom) == ["res2b_branch2c", "res2a"]
    assert [made[n].top[0] for n in ("bn4b22", "scale4b22", "res4b22_relu")] == ["res4b22"] * 3
    assert list(made["res5a_branch1"].bottom) == list(made["res5a_branch2a"].bottom) == ["res4b22"]
    assert [made[f"res3a_branch{n}"].convolution_param.stride[0] for n in ("1", "2a", "2b", "2c")] == [2, 1, 2, 1]


def without_choices_of_training(layer):
    """A layer without fillers, rates and momentum, which the released weights do not tell."""
    layer = type(layer).FromString(layer.SerializeToString())
    layer.ClearField("param")
    layer.ClearField("bn_param")
    for field in ("weight_filler", "bias_filler"):
        layer.convolution_param.ClearField(field)
        layer.inner_product_param.ClearField(field)
    return text_format.MessageToString(layer)


def test_released_layout_at_an_eighth_of_the_width_is_the_recorded_stand_in():
    recorded = srn_fork_pb2.NetParameter()
    text_format.Parse((GOLDENS / "srn_fork/released_like/net.prototxt").read_text(), recorded)
    net = predicting_net(model="resnet101_srn", dataset="wider_att", width=8, norm="bn", layout="released")
    generated = text_format.Parse(text_format.MessageToString(net), srn_fork_pb2.NetParameter())
    expected = [without_choices_of_training(layer) for layer in recorded.layer]
    found = [without_choices_of_training(layer) for layer in generated.layer]
    assert found[: len(expected)] == expected
    assert [(layer.type, list(layer.bottom)) for layer in generated.layer[len(expected) :]] == [
        ("Silence", ["att.y_att"])
    ], "so that prob is net.outputs[0]"


def test_released_layout_on_the_public_backbone_keeps_its_names():
    made = layers(model="resnet101_srn", dataset="coco", layout="released", backbone="resnet")
    assert list(made["att.BN_1"].bottom) == ["res4b22"]
    assert list(made["prob"].bottom) == ["y_cls", "comb.comb_InnerProduct_4"]


def test_scale_after_a_released_normalisation_leaves_the_counter_alone():
    made = layers(model="resnet101", labels=7, layout="released", norm="batchnorm")
    assert list(made)[:4] == ["caffe.SpatialConvolution_0", "caffe.BN_1", "caffe.BN_1_scale", "caffe.ReLU_2"]
    assert list(made)[-1] == "caffe.InnerProduct_340"


@pytest.mark.parametrize(("size", "map_size", "pooled"), [(96, 6, 3), (224, 14, 7), (299, 19, 10), (448, 28, 14)])
def test_sizes_follow_the_input(size, map_size, pooled):
    made = layers(model="resnet101_srn", labels=7, depth=26, width=16, input_size=size)
    assert made["pool5"].pooling_param.kernel_size == pooled
    assert made["srn_conv4"].convolution_param.kernel_size == [map_size]
    assert list(made["att_map"].reshape_param.shape.dim) == [0, 0, map_size, map_size]


def strides(made):
    return {
        name.removeprefix("res"): layer.convolution_param.stride[0]
        for name, layer in made.items()
        if layer.type == "Convolution" and name.startswith("res") and layer.convolution_param.stride[0] != 1
    }


@pytest.mark.parametrize("backbone", ["resnet", "preresnet"])
@pytest.mark.parametrize(("stride_in", "branch"), [("conv1", "2a"), ("conv2", "2b")])
def test_the_stride_is_where_the_option_says(backbone, stride_in, branch):
    options: Options = {"model": "resnet101", "labels": 7, "depth": 26, "width": 8, "backbone": backbone}
    made = layers(**options, stride_in=stride_in)
    assert strides(made) == {f"{stage}a_branch{n}": 2 for stage in "345" for n in (branch, "1")}
    default = {"resnet": "conv1", "preresnet": "conv2"}[backbone]
    assert (strides(layers(**options)) == strides(made)) == (stride_in == default)
    assert count(GeneratorOptions(**options, stride_in=stride_in)) == count(GeneratorOptions(**options))


def checkpoint_like(data, blobs, blocks):
    """torchvision's forward pass of a ResNet, from its code's wiring, with the weights of our net."""

    def batch_norm(x, name):
        mean, variance, factor = (torch.from_numpy(blob.data) for blob in blobs[f"bn{name}"])
        slope, bias = (torch.from_numpy(blob.data) for blob in blobs[f"scale{name}"])
        return functional.batch_norm(x, mean / factor, variance / factor, slope, bias, eps=1e-5)

    def convolve(x, name, **window):
        return functional.conv2d(x, torch.from_numpy(blobs[name][0].data), **window)

    x = functional.relu(batch_norm(convolve(data, "conv1", stride=2, padding=3), "_conv1"))
    x = functional.max_pool2d(x, kernel_size=3, stride=2, padding=1)
    for name, stride, projects in blocks:
        branch = functional.relu(batch_norm(convolve(x, f"res{name}_branch2a"), f"{name}_branch2a"))
        branch = convolve(branch, f"res{name}_branch2b", stride=stride, padding=1)
        branch = functional.relu(batch_norm(branch, f"{name}_branch2b"))
        branch = batch_norm(convolve(branch, f"res{name}_branch2c"), f"{name}_branch2c")
        if projects:
            x = batch_norm(convolve(x, f"res{name}_branch1", stride=stride), f"{name}_branch1")
        x = functional.relu(x + branch)
    return x.mean((2, 3))


@pytest.mark.parametrize("size", [96, 107])
def test_the_options_of_todays_checkpoints_give_their_features(size):
    options: Options = {"labels": 7, "depth": 26, "width": 4, "stride_in": "conv2", "pooling": "floor"}
    net = built(predicting_net(model="resnet101", input_size=size, **options), seed=3)
    random = np.random.default_rng(5)
    for name, blobs in net.params.items():
        if name.startswith(("bn", "scale")):
            for blob in blobs:
                blob.data[...] = random.uniform(0.5, 1.5, blob.data.shape)
    data = random.normal(size=(1, 3, size, size)).astype(np.float32)
    net.blobs["data"].data[...] = data
    net.forward_range(0, len(net.steps) - 1)
    blocks = [
        (f"{stage}{block}", 1 + (block == "a" and stage > 2), block == "a") for stage in range(2, 6) for block in "ab"
    ]
    expected = checkpoint_like(torch.from_numpy(data), net.params, blocks)
    np.testing.assert_allclose(net.blobs["pool5"].data[..., 0, 0], expected, rtol=1e-4, atol=1e-5)

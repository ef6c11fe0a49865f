import math

from tests.prototxt_gen.generated import Options, predicting_net

SMALL: Options = {"labels": 5, "depth": 26, "width": 16, "input_size": 96}


def layers(**options):
    return {layer.name: layer for layer in predicting_net(**SMALL | options).layer}


def after_main_net(made):
    names = list(made)
    return [(made[n].type, n, *made[n].bottom, "->", *made[n].top) for n in names[names.index("cls_fc") :]]


def test_srn_is_the_papers_text():
    assert after_main_net(layers(model="resnet101_srn")) == [
        ("InnerProduct", "cls_fc", "pool5", "->", "y_cls"),
        ("Convolution", "att_conv1", "res4b", "->", "att_conv1"),
        ("ReLU", "att_conv1_relu", "att_conv1", "->", "att_conv1"),
        ("Convolution", "att_conv2", "att_conv1", "->", "att_conv2"),
        ("ReLU", "att_conv2_relu", "att_conv2", "->", "att_conv2"),
        ("Convolution", "att_conv3", "att_conv2", "->", "att_conv3"),
        ("Reshape", "att_flat", "att_conv3", "->", "att_flat"),
        ("Softmax", "att_softmax", "att_flat", "->", "att_softmax"),
        ("Reshape", "att_map", "att_softmax", "->", "att_map"),
        ("Convolution", "srn_conv1", "res4b", "->", "srn_conv1"),
        ("Eltwise", "att_scores", "att_map", "srn_conv1", "->", "att_scores"),
        ("Reduction", "y_att", "att_scores", "->", "y_att"),
        ("Sigmoid", "srn_conf", "srn_conv1", "->", "srn_conf"),
        ("Eltwise", "srn_weighted", "srn_conf", "att_map", "->", "srn_weighted"),
        ("Convolution", "srn_conv2", "srn_weighted", "->", "srn_conv2"),
        ("ReLU", "srn_conv2_relu", "srn_conv2", "->", "srn_conv2"),
        ("Convolution", "srn_conv3", "srn_conv2", "->", "srn_conv3"),
        ("ReLU", "srn_conv3_relu", "srn_conv3", "->", "srn_conv3"),
        ("Convolution", "srn_conv4", "srn_conv3", "->", "srn_conv4"),
        ("ReLU", "srn_conv4_relu", "srn_conv4", "->", "srn_conv4"),
        ("InnerProduct", "srn_fc", "srn_conv4", "->", "y_sr"),
        ("Eltwise", "y", "y_cls", "y_sr", "->", "y"),
    ]


def test_windows_and_channels():
    made = layers(model="resnet101_srn")
    convolutions = {
        n: m.convolution_param
        for n, m in made.items()
        if n.startswith(("att_conv", "srn_conv")) and m.HasField("convolution_param")
    }
    assert {n: (c.num_output, c.kernel_size[0], c.pad[0], c.group, c.bias_term) for n, c in convolutions.items()} == {
        "att_conv1": (128, 1, 0, 1, True),
        "att_conv2": (128, 3, 1, 1, True),
        "att_conv3": (5, 1, 0, 1, True),
        "srn_conv1": (5, 1, 0, 1, True),
        "srn_conv2": (128, 1, 0, 1, True),
        "srn_conv3": (128, 1, 0, 1, True),
        "srn_conv4": (512, 6, 0, 128, True),
    }
    assert made["att_softmax"].softmax_param.axis == made["y_att"].reduction_param.axis == 2
    assert made["att_scores"].eltwise_param.operation == made["srn_weighted"].eltwise_param.operation == 0, "PROD"


def test_unweighted_variant_feeds_the_attention_itself():
    made = layers(model="resnet101_srn_att")
    assert list(made["srn_conv2"].bottom) == ["att_map"]
    assert not {"srn_conf", "srn_weighted"} & made.keys()
    released = layers(model="resnet101_srn_att", layout="released")
    assert list(released["comb.comb_Conv_1"].bottom) == ["att.att_Reshape_6"]


def test_head_norm_takes_the_bias():
    made = layers(model="resnet101_srn", head_norm="bn")
    for name in ("att_conv1", "att_conv2", "srn_conv2", "srn_conv3", "srn_conv4"):
        assert not made[name].convolution_param.bias_term
        assert [made[n].type for n in (f"bn_{name}", f"scale_{name}")] == ["BatchNorm", "Scale"]
        assert list(made[f"bn_{name}"].top) == [name]
    assert made["att_conv3"].convolution_param.bias_term


def test_released_layout_without_head_norm():
    made = layers(model="resnet101_srn", layout="released", head_norm="none", norm="bn")
    assert [n for n, m in made.items() if m.type == "BN" and n.startswith(("att.att", "comb"))] == []
    assert made["comb.comb_Conv_3"].convolution_param.bias_term
    assert "att.BN_21" in made, "the bottlenecks are pre-activation blocks whatever the heads are"


def test_alpha_and_head_width_and_filler_scale():
    made = layers(model="resnet101_srn", alpha=0.25, head_width=24, sr_filler_scale=12.0)
    assert list(made["y"].eltwise_param.coeff) == [0.25, 0.75]
    assert (made["srn_conv4"].convolution_param.num_output, made["srn_conv4"].convolution_param.group) == (96, 24)
    filler = made["srn_conv2"].convolution_param.weight_filler
    assert filler.type == "gaussian"
    assert math.isclose(filler.std, 12 * math.sqrt(2 / 5), rel_tol=1e-6)
    assert made["srn_conv3"].convolution_param.weight_filler.type == "msra"


def test_semantic_baseline():
    assert after_main_net(layers(model="resnet101_semantic")) == [
        ("InnerProduct", "cls_fc", "pool5", "->", "y_cls"),
        ("Flatten", "sem_flat", "pool5", "->", "sem_flat"),
        ("Concat", "sem_concat", "sem_flat", "y_cls", "->", "sem_concat"),
        ("InnerProduct", "sem_fc1", "sem_concat", "->", "sem_fc1"),
        ("ReLU", "sem_fc1_relu", "sem_fc1", "->", "sem_fc1"),
        ("InnerProduct", "sem_fc2", "sem_fc1", "->", "sem_fc2"),
        ("ReLU", "sem_fc2_relu", "sem_fc2", "->", "sem_fc2"),
        ("InnerProduct", "sem_fc3", "sem_fc2", "->", "y"),
    ]
    assert [
        m.inner_product_param.num_output
        for m in predicting_net(model="resnet101_semantic", dataset="coco").layer
        if m.name.startswith("sem_fc") and not m.name.endswith("relu")
    ] == [2048, 2048, 80]

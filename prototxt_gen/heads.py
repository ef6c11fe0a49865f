"""The parts after the feature maps, in the paper's layout: f_cls, f_att, f_sr and the semantic baseline."""

import math
from typing import Any, NamedTuple

from prototxt_gen.backbones import LayerNaming
from prototxt_gen.builder import Maps, NetBuilder
from prototxt_gen.options import GeneratorOptions

LINEAR = {"type": "xavier"}  # filler of layers that no ReLU follows


class Attention(NamedTuple):
    """The attention maps A (Eq. 4), the confidence maps S, and the scores y_att (Eq. 7)."""

    attention: Maps
    confidence: Maps
    scores: Maps


class HiddenNames(NamedTuple):
    """The names of the layers of a hidden convolution."""

    convolution: str
    norm: str
    relu: str


def hidden(name: str) -> HiddenNames:
    """Names of a hidden convolution in the style of the public nets."""
    return HiddenNames(name, f"bn_{name}", f"{name}_relu")


def classifier(net: NetBuilder, last: Maps, options: GeneratorOptions, names: LayerNaming) -> tuple[Maps, Maps]:
    """Adds f_cls (Eq. 2); returns the pooled features and y_cls."""
    pooled = features = net.average_pool(last, names("Pooling", "pool5"))
    if net.released_style:
        name = names("Flatten", "")
        features = net.layer("Flatten", name, [pooled], Maps(name, pooled.channels))
    name = names("InnerProduct", "cls_fc")
    return pooled, net.inner_product(features, name, options.labels, top=name if net.released_style else "y_cls")


def attention(net: NetBuilder, tap: Maps, options: GeneratorOptions) -> Attention:
    """Adds f_att (Eq. 3), its softmax over space (Eq. 4), conv1, and the sum of their product over space (Eq. 7)."""
    blob = convolution_relu(net, tap, hidden("att_conv1"), options)
    blob = convolution_relu(net, blob, hidden("att_conv2"), options, kernel=3, pad=1)
    blob = net.convolution(blob, "att_conv3", options.labels, bias=True, filler=LINEAR)
    weights = ATTENTIONS[options.attention](net, blob)
    confidence = net.convolution(tap, "srn_conv1", options.labels, bias=True, filler=LINEAR)
    return Attention(weights, confidence, attended_scores(net, weights, confidence, "att_scores", "y_att"))


def spatial_regularization(net: NetBuilder, maps: Attention, options: GeneratorOptions, weighted: bool) -> Maps:
    """Adds y_sr = f_sr(U) (Eq. 9), with U = sigmoid(S) A (Eq. 8), or U = A for ResNet-SRN-att; returns y_sr."""
    blob = weighted_attention(net, maps, "srn_conf", "srn_weighted") if weighted else maps.attention
    if options.alignment == "rolled":
        blob = roll(net, blob, options.random_seed)
    return net.inner_product(RELATIONS[options.conv4](net, blob, options), "srn_fc", options.labels, top="y_sr")


def grouped_relations(net: NetBuilder, maps: Maps, options: GeneratorOptions) -> Maps:
    """Adds the paper's conv2 to conv4 (Figure 4).

    These are two 1x1 convolutions, then four kernels per channel that cover the whole map.
    """
    blob = _label_relations(net, maps, options)
    return convolution_relu(net, blob, hidden("srn_conv4"), options, **wide_window(blob, options))


def full_relations(net: NetBuilder, maps: Maps, options: GeneratorOptions) -> Maps:
    """Adds the naive form of section 3.3: a convolution whose kernels cover the whole maps of all labels."""
    window = {"channels": 4 * options.head_width, "kernel": maps.size}
    return convolution_relu(net, maps, hidden("srn_conv4"), options, options.sr_filler_scale, **window)


def point_relations(net: NetBuilder, maps: Maps, options: GeneratorOptions) -> Maps:
    """Adds a control without spatial extent: conv4 sees one place, and the mean over places discards positions."""
    blob = _label_relations(net, maps, options)
    blob = convolution_relu(net, blob, hidden("srn_conv4"), options, **{**wide_window(blob, options), "kernel": 1})
    return net.average_pool(blob, "srn_pool")


def _label_relations(net: NetBuilder, maps: Maps, options: GeneratorOptions) -> Maps:
    blob = convolution_relu(net, maps, hidden("srn_conv2"), options, filler_scale=options.sr_filler_scale)
    return convolution_relu(net, blob, hidden("srn_conv3"), options)


def roll(net: NetBuilder, maps: Maps, seed: int) -> Maps:
    """Adds a control that destroys the alignment of the labels' maps.

    The control is a Python layer of this project, so training needs --allow-python-layers.
    """
    python = {"module": "caffe_compat.experiments.mechanism.random_roll", "layer": "RandomRoll"}
    if seed >= 0:
        python["param_str"] = str(seed)
    return net.layer("Python", "srn_roll", [maps], Maps("srn_roll", maps.channels, maps.size), python_param=python)


def semantic(net: NetBuilder, pooled: Maps, scores: Maps, options: GeneratorOptions) -> Maps:
    """Adds ResNet-101-semantic: three fully connected layers on pool5 and y_cls (section 4.1)."""
    # InnerProduct's top has two axes and pool5 has four, while Concat needs equal numbers of axes.
    flat = net.layer("Flatten", "sem_flat", [pooled], Maps("sem_flat", pooled.channels))
    both = Maps("sem_concat", flat.channels + scores.channels)
    blob = net.layer("Concat", "sem_concat", [flat, scores], both)
    for name in ("sem_fc1", "sem_fc2"):
        blob = net.relu(net.inner_product(blob, name, 32 * options.width, filler="msra"), f"{name}_relu")
    return net.inner_product(blob, "sem_fc3", options.labels, top="y")


def fuse(net: NetBuilder, main: Maps, regularized: Maps, options: GeneratorOptions, learns_alpha: bool) -> Maps:
    """Adds y = alpha y_cls + (1 - alpha) y_sr (section 3.4); alpha is a weight only in steps that learn it."""
    if learns_alpha:
        return _fuse_with_learned_alpha(net, main, regularized, options)
    name = "prob" if net.released_style else "y"
    return net.eltwise([main, regularized], name, operation="SUM", coeff=[options.alpha, 1 - options.alpha])


def _fuse_with_learned_alpha(net: NetBuilder, main: Maps, regularized: Maps, options: GeneratorOptions) -> Maps:
    """Adds y = y_sr + alpha (y_cls - y_sr), with a single learned alpha ("the factor can also be learned")."""
    difference = net.eltwise([main, regularized], "y_difference", operation="SUM", coeff=[1, -1])
    share = net.scalar(difference, "alpha", options.alpha, top="y_share")
    return net.eltwise([regularized, share], "y", operation="SUM")


def softmax_attention(net: NetBuilder, scores: Maps) -> Maps:
    """Adds the attention maps A of Eq. 4 and returns A."""
    return spatial_softmax(net, scores, "att_flat", "att_softmax", "att_map")


def uniform_attention(net: NetBuilder, scores: Maps) -> Maps:
    """Adds A = 1 / (W H) for every label and place: attention that is not learned (an ablation)."""
    share = 1 / scores.size**2
    return net.layer(
        "Power",
        "att_map",
        [scores],
        Maps("att_map", scores.channels, scores.size),
        power_param={"scale": 0, "shift": share},
    )


def spatial_softmax(net: NetBuilder, blob: Maps, flat: str, softmax: str, back: str) -> Maps:
    """Adds a softmax over the places of each channel, so that each channel sums to 1."""
    line = Maps(flat, blob.channels, blob.size)
    line = net.layer("Reshape", flat, [blob], line, reshape_param={"shape": {"dim": [0, 0, -1]}})
    line = net.layer("Softmax", softmax, [line], Maps(softmax, blob.channels, blob.size), softmax_param={"axis": 2})
    shape = {"shape": {"dim": [0, 0, blob.size, blob.size]}}
    return net.layer("Reshape", back, [line], Maps(back, blob.channels, blob.size), reshape_param=shape)


def attended_scores(net: NetBuilder, weights: Maps, confidence: Maps, product: str, total: str) -> Maps:
    """Adds the mean of the confidences over all places, weighted by the attention."""
    blob = net.eltwise([weights, confidence], product, operation="PROD")
    return net.layer(
        "Reduction", total, [blob], Maps(total, blob.channels), reduction_param={"operation": "SUM", "axis": 2}
    )


def weighted_attention(net: NetBuilder, maps: Attention, sigmoid: str, product: str) -> Maps:
    """Adds U = sigmoid(S) A and returns U."""
    confidence = maps.confidence
    visible = net.layer("Sigmoid", sigmoid, [confidence], Maps(sigmoid, confidence.channels, confidence.size))
    return net.eltwise([visible, maps.attention], product, operation="PROD")


def convolution_relu(
    net: NetBuilder,
    bottom: Maps,
    names: HiddenNames,
    options: GeneratorOptions,
    filler_scale: float = 1.0,
    **window: Any,
) -> Maps:
    """Adds a hidden convolution with its ReLU; the bias is in the normalisation between them, if there is one."""
    plain = options.head_norm == "none"
    fields = {"channels": options.head_width, "bias": plain, **window}
    if filler_scale != 1:
        fields["filler"] = _scaled_msra(filler_scale, fan_in=bottom.channels)
    blob = net.convolution(bottom, names.convolution, **fields)
    return net.relu(blob if plain else net.norm(blob, names.norm), names.relu)


def wide_window(blob: Maps, options: GeneratorOptions) -> dict[str, int]:
    """Fields of f_sr's third convolution: the whole map, four kernels per channel (the paper's 2048 in 512 groups)."""
    return {"channels": 4 * options.head_width, "kernel": blob.size, "group": options.head_width}


def _scaled_msra(scale: float, fan_in: int) -> dict[str, Any]:
    """Caffe's msra filler times a factor, written as a gaussian filler because msra has no factor."""
    return {"type": "gaussian", "std": scale * math.sqrt(2 / fan_in)}


ATTENTIONS = {"softmax": softmax_attention, "uniform": uniform_attention}
RELATIONS = {"grouped": grouped_relations, "full": full_relations, "point": point_relations}

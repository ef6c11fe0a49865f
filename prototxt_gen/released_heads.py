"""f_att and f_sr with the names and structure of the released models.

Differences from the paper's text: two more bottlenecks before f_att, a hidden layer before S, and a normalisation after
every hidden convolution.
"""

from prototxt_gen.backbones import Bottleneck, CountedNames, activate, pre_activation_block
from prototxt_gen.builder import Maps, NetBuilder
from prototxt_gen.heads import (
    LINEAR,
    Attention,
    HiddenNames,
    attended_scores,
    convolution_relu,
    spatial_softmax,
    weighted_attention,
    wide_window,
)
from prototxt_gen.options import GeneratorOptions


class _AttentionNames(CountedNames):
    """Names of the attention net: counters start at 1, and SpatialConvolution is shortened to Conv."""

    def __call__(self, released_type: str, role: str) -> str:
        return super().__call__(released_type.replace("SpatialConvolution", "Conv"), role)


def attention(net: NetBuilder, tap_sum: Maps, options: GeneratorOptions) -> Attention:
    """Adds A, S and y_att, from the sum of stage 4's last block, which has separate normalisations here."""
    features = _bottlenecks(net, tap_sum)
    linear = options.head_norm == "none"
    blob = convolution_relu(net, features, _hidden("att.att", 1), options)
    blob = convolution_relu(net, blob, _hidden("att.att", 2), options, kernel=3, pad=1)
    blob = net.convolution(blob, "att.att_Conv_3", options.labels, bias=linear, filler=LINEAR)
    weights = spatial_softmax(net, blob, "att.att_Reshape_4", "att.att_Softmax_5", "att.att_Reshape_6")
    blob = convolution_relu(net, features, _hidden("att.feat", 1), options)
    confidence = net.convolution(blob, "att.feat_Conv_2", options.labels, bias=linear, filler=LINEAR)
    return Attention(weights, confidence, attended_scores(net, weights, confidence, "att.Eltwise_mul", "att.y_att"))


def spatial_regularization(net: NetBuilder, maps: Attention, options: GeneratorOptions, weighted: bool) -> Maps:
    """Adds y_sr from U, or from A itself if not `weighted`; returns y_sr."""
    blob = weighted_attention(net, maps, "comb.Sigmoid", "comb.comb_Eltwise_0") if weighted else maps.attention
    blob = convolution_relu(net, blob, _hidden("comb.comb", 1), options, filler_scale=options.sr_filler_scale)
    blob = convolution_relu(net, blob, _hidden("comb.comb", 2), options)
    blob = convolution_relu(net, blob, _hidden("comb.comb", 3), options, **wide_window(blob, options))
    return net.inner_product(blob, "comb.comb_InnerProduct_4", options.labels)


def _bottlenecks(net: NetBuilder, total: Maps) -> Maps:
    names = _AttentionNames("att.", first=1)
    active = activate(net, total, "", names)
    for _ in range(2):
        block = Bottleneck("", inner=total.channels // 4, stride=1, projects=False)
        total = pre_activation_block(net, total, active, block, names)
        active = activate(net, total, "", names)
    return active


def _hidden(prefix: str, number: int) -> HiddenNames:
    return HiddenNames(f"{prefix}_Conv_{number}", f"{prefix}_BN_{number}", f"{prefix}_ReLU_{number}")

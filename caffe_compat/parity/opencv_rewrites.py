"""Layers that OpenCV's Caffe importer lacks or reads otherwise, said with layers that it has.

What it has was found by running the records of two real Caffes through OpenCV 4.14, layer by layer.
"""

import math
from collections.abc import Callable

import numpy as np

from caffe_compat.layers.normalization.bn import is_segnet_bn
from caffe_compat.parity.opencv_chain import Chain, Layer, Place, Rewrite, as_it_is
from caffe_compat.proto import caffe_pb2


def bn(place: Place) -> Rewrite | None:
    """The fork's BN: (x - mean) / sqrt(variance + eps) * slope + bias; SegNet's without statistics is a Scale."""
    if is_segnet_bn(place.layer):
        return segnet_bn(place)
    slope, bias, mean, variance = (blob.ravel() for blob in place.blobs)
    chain = Chain(place, "BN as BatchNorm + Scale")
    norm = chain.add("BatchNorm", blobs=[mean, variance, np.ones(1, np.float32)])
    norm.batch_norm_param.eps = place.layer.bn_param.eps
    norm.batch_norm_param.use_global_stats = True
    chain.add("Scale", blobs=[slope, bias]).scale_param.bias_term = True
    return chain.end()


def segnet_bn(place: Place) -> Rewrite | None:
    """scale * x + shift; OpenCV does not normalise by the batch."""
    if place.layer.bn_param.bn_mode == caffe_pb2.BNParameter.LEARN:
        return None
    chain = Chain(place, "BN as Scale")
    chain.add("Scale", blobs=[blob.ravel() for blob in place.blobs]).scale_param.bias_term = True
    return chain.end()


def batch_norm(place: Place) -> Rewrite | None:
    """Stored statistics only. OpenCV wants a bottom with channels."""
    param = place.layer.batch_norm_param
    by_batch = param.HasField("use_global_stats") and not param.use_global_stats
    return None if by_batch or len(place.bottoms[0]) < 2 else as_it_is(place)


#: What is done to every element before a Reduction's sum.
BEFORE_SUM: dict[str, Callable[[Chain], object]] = {
    "SUM": lambda chain: None,
    "MEAN": lambda chain: None,
    "ASUM": lambda chain: chain.add("AbsVal"),
    "SUMSQ": lambda chain: chain.power(2.0),
}


def reduction(place: Place) -> Rewrite:
    """Any Reduction: what is summed becomes the height of an image, which global average pooling reduces."""
    param = place.layer.reduction_param
    operation = caffe_pb2.ReductionParameter.ReductionOp.Name(param.operation)
    shape = place.bottoms[0]
    axis = param.axis % len(shape)
    count = math.prod(shape[axis:])
    chain = Chain(place, "Reduction as global average Pooling + Power")
    chain.reshape([math.prod(shape[:axis]), 1, count, 1])
    BEFORE_SUM[operation](chain)
    pool = chain.add("Pooling").pooling_param
    pool.pool, pool.global_pooling = caffe_pb2.PoolingParameter.AVE, True
    chain.power(scale=param.coeff * (1 if operation == "MEAN" else count))
    chain.reshape(shape[:axis] if axis > 1 else [math.prod(shape[:axis]), 1])  # OpenCV has no blobs of one axis
    return chain.end()


def bias(place: Place) -> Rewrite | None:
    """A Bias with its own blob as a Scale by ones."""
    if len(place.bottoms) > 1:
        return None
    chain = Chain(place, "Bias as Scale")
    scale = chain.add("Scale", blobs=[np.ones_like(place.blobs[0]), place.blobs[0]]).scale_param
    scale.axis, scale.num_axes, scale.bias_term = place.layer.bias_param.axis, place.layer.bias_param.num_axes, True
    return chain.end()


def clip(place: Place) -> Rewrite:
    """min + relu(x - min) - relu(x - max)."""
    low, high = place.layer.clip_param.min, place.layer.clip_param.max
    chain = Chain(place, "Clip as two ReLUs")
    above = []
    for limit in (low, high):
        chain.last = place.layer.bottom[0]
        chain.power(shift=-limit)
        chain.add("ReLU")
        above.append(chain.last)
    chain.add("Eltwise", above[1], bottom=above[0]).eltwise_param.coeff[:] = [1, -1]
    chain.power(shift=low)
    return chain.end()


def swish(place: Place) -> Rewrite:
    """x * sigmoid(beta * x); OpenCV has no beta."""
    beta = place.layer.swish_param.beta
    if beta == 1:
        return as_it_is(place)
    chain = Chain(place, "Swish as Power + Sigmoid + Eltwise")
    chain.power(scale=beta)
    chain.add("Sigmoid")
    chain.add("Eltwise", place.layer.bottom[0]).eltwise_param.operation = caffe_pb2.EltwiseParameter.PROD
    return chain.end()


def log(place: Place) -> Rewrite:
    """log(shift + scale * x) / log(base); OpenCV has the natural logarithm only."""
    param = place.layer.log_param
    chain = Chain(place, "Log with Powers around it")
    chain.power(scale=param.scale, shift=param.shift)
    chain.add("Log")
    chain.power(scale=1.0 if param.base == -1 else 1 / math.log(param.base))
    return chain.end()


def lrn(place: Place) -> Rewrite:
    """(k + a) ^ -beta = k ^ -beta * (1 + a / k) ^ -beta; OpenCV does not read k."""
    param = place.layer.lrn_param
    is_across = param.norm_region == caffe_pb2.LRNParameter.ACROSS_CHANNELS
    if param.k == 1 or not is_across:
        return as_it_is(place)
    chain = Chain(place, "LRN with k 1 + Power")
    inner = chain.add("LRN").lrn_param
    inner.CopyFrom(param)
    inner.k, inner.alpha = 1.0, param.alpha / param.k
    chain.power(scale=param.k**-param.beta)
    return chain.end()


def inner_product(place: Place) -> Rewrite:
    """OpenCV does not transpose weights."""
    if not place.layer.inner_product_param.transpose:
        return as_it_is(place)
    weight, *rest = place.blobs
    place.layer.inner_product_param.transpose = False
    return Rewrite([place.layer], {place.layer.name: [np.ascontiguousarray(weight.T), *rest]}, "weights transposed")


def convolution(place: Place) -> Rewrite | None:
    """Channels on axis 1 and two spatial axes."""
    rank = len(place.bottoms[0])
    return as_it_is(place) if place.layer.convolution_param.axis in (1, 1 - rank) and rank == 4 else None


def depthwise_convolution(place: Place) -> Rewrite | None:
    """A Convolution with a group for every channel."""
    channels, kind = place.bottoms[0][1], place.layer.type
    place.layer.type = "Convolution"
    place.layer.convolution_param.num_output = place.tops[0][1]
    place.layer.convolution_param.group = channels
    found = convolution(place)
    return found and Rewrite(found.layers, found.blobs, f"{kind} as Convolution with groups")


def pooling(place: Place) -> Rewrite | None:
    """OpenCV rounds up; a size rounded down is the first part of it. A mask of maxima it counts otherwise."""
    param = place.layer.pooling_param
    if param.pool == caffe_pb2.PoolingParameter.STOCHASTIC or len(place.tops) > 1:
        return None
    if param.round_mode == caffe_pb2.PoolingParameter.CEIL:
        return as_it_is(place)
    chain = Chain(place, "Pooling with FLOOR as Pooling + Slice")
    chain.add("Pooling").pooling_param.CopyFrom(param)
    chain.rewrite.layers[-1].pooling_param.ClearField("round_mode")
    for axis in (2, 3):
        _first_part(chain, axis, place.tops[0][axis])
    return chain.end()


def _first_part(chain: Chain, axis: int, size: int) -> None:
    # Crop needs a second bottom to take the size from; a Slice must leave something: so it repeats the blob first.
    chain.add("Concat", chain.last).concat_param.axis = axis
    layer = chain.add("Slice")
    layer.slice_param.axis = axis
    layer.slice_param.slice_point[:] = [size]
    layer.top.append(f"{layer.name}~rest")


def slice_(place: Place) -> Rewrite:
    """OpenCV wants the slice points, and later layers may overwrite all tops but the first: Powers hold copies."""
    param = place.layer.slice_param
    axis = (param.slice_dim if param.HasField("slice_dim") else param.axis) % len(place.bottoms[0])
    tops = list(place.layer.top)
    if not param.slice_point:
        param.slice_point[:] = np.cumsum([shape[axis] for shape in place.tops])[:-1].tolist()
    place.layer.name += "~slice"
    place.layer.top[:] = [f"{top}~slice" for top in tops]
    copies = [Layer(name=top, type="Power", bottom=[f"{top}~slice"], top=[top]) for top in tops]
    return Rewrite([place.layer, *copies])


def tile(place: Place) -> Rewrite:
    """A Concat of the bottom with itself."""
    param = place.layer.tile_param
    chain = Chain(place, "Tile as Concat")
    chain.add("Concat", *[chain.last] * (param.tiles - 1)).concat_param.axis = param.axis % len(place.bottoms[0])
    return chain.end()


def axpy(place: Place) -> Rewrite | None:
    """scale (N, C) * x + y: for one item, a Scale with two bottoms and an Eltwise."""
    scale, x, y = place.layer.bottom
    count, channels = place.bottoms[0][:2]
    if count != 1:
        return None
    chain = Chain(place, "Axpy as Scale + Eltwise")
    chain.add("Reshape", bottom=scale).reshape_param.shape.dim[:] = [channels]
    chain.add("Scale", chain.last, bottom=x).scale_param.axis = 1
    chain.add("Eltwise", y)
    return chain.end()


def normalize(place: Place) -> Rewrite:
    """SSD's layer or the fork's; OpenCV wants a scale with an axis."""
    blobs = {place.layer.name: [blob.reshape(-1) for blob in place.blobs]} if place.blobs else {}
    return Rewrite([place.layer], blobs)


def prior_box(place: Place) -> Rewrite | None:
    """OpenCV wants the variance, clips where nothing is said, and takes the image's size from the second bottom."""
    param = place.layer.prior_box_param
    height, width = place.bottoms[1][2:]
    stated = [getattr(param, name) for name in ("img_h", "img_w", "img_size") if param.HasField(name)]
    if any(size not in (height, width) for size in stated) or (param.HasField("img_size") and height != width):
        return None
    param.clip = param.clip
    if not param.variance:
        param.variance[:] = [0.1]
    return as_it_is(place)


def detection_output(place: Place) -> Rewrite | None:
    """OpenCV wants every field, and room for all detections; it knows neither CORNER_SIZE nor an adapting threshold."""
    param = place.layer.detection_output_param
    if param.code_type == caffe_pb2.PriorBoxParameter.CORNER_SIZE or param.nms_param.eta != 1:
        return None
    for name in ("share_location", "background_label_id", "variance_encoded_in_target", "code_type"):
        setattr(param, name, getattr(param, name))
    if not param.HasField("confidence_threshold"):
        param.confidence_threshold = float(np.finfo(np.float32).min)
    if param.keep_top_k < 0:  # all of them, for which OpenCV would write beyond its blob
        param.keep_top_k = place.bottoms[1][1]
    param.nms_param.nms_threshold = param.nms_param.nms_threshold
    return as_it_is(place)


def interp(place: Place) -> Rewrite | None:
    """OpenCV knows height and width, and zoom_factor; no shrinking, no cropping, no size of another blob."""
    param = place.layer.interp_param
    others = any(param.HasField(name) for name in ("shrink_factor", "pad_beg", "pad_end"))
    return None if others or len(place.bottoms) > 1 else as_it_is(place)


RewriteRule = Callable[[Place], Rewrite | None]

#: Types without a rule: OpenCV has nothing for them, or reads them so differently that their tops are fed from our run.
FED = (
    "ArgMax", "BatchReduction", "BatchReindex", "Embed", "Filter", "Gather", "Im2col", "LSTM", "LSTMUnit", "Parameter",
    "RNN", "ROIPooling", "SPP", "Scatter", "Threshold", "Upsample",
)  # fmt: skip

#: Types that OpenCV runs as Caffe does, whatever their fields say.
AS_THEY_ARE = (
    "AbsVal", "BNLL", "Concat", "Crop", "Dropout", "ELU", "Eltwise", "Exp", "Flatten", "MVN", "PReLU", "Permute",
    "Power", "ReLU", "ReLU6", "Reshape", "Scale", "ShuffleChannel", "Sigmoid", "Softmax", "TanH",
)  # fmt: skip
REWRITES: dict[str, RewriteRule] = {
    **dict[str, RewriteRule].fromkeys(AS_THEY_ARE, as_it_is),
    "Axpy": axpy,
    "BN": bn,
    "BatchNorm": batch_norm,
    "Bias": bias,
    "Clip": clip,
    "Convolution": convolution,
    "ConvolutionDepthwise": depthwise_convolution,
    "Deconvolution": convolution,
    "DetectionOutput": detection_output,
    "DepthwiseConvolution": depthwise_convolution,
    "InnerProduct": inner_product,
    "Interp": interp,
    "LRN": lrn,
    "Log": log,
    "Normalize": normalize,
    "NormalizeBBox": normalize,
    "Pooling": pooling,
    "PriorBox": prior_box,
    "Reduction": reduction,
    "Slice": slice_,
    "Swish": swish,
    "Tile": tile,
}


def rewrite_for_opencv(place: Place) -> Rewrite | None:
    """The layer in OpenCV's words, or None where it has none for it. May change the place's message."""
    rewrite = REWRITES.get(place.layer.type)
    return rewrite(place) if rewrite else None

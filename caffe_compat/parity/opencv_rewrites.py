"""Replaces layers that OpenCV's Caffe importer lacks, or reads differently, by layers that it has.

The differences were found with records of two real Caffes, run through OpenCV 4.14 layer by layer.
"""

import math
from collections.abc import Callable

import numpy as np

from caffe_compat.layers.normalization.bn import is_segnet_bn
from caffe_compat.parity.opencv_chain import Chain, ChainLayer, Layer, Rewrite, as_it_is
from caffe_compat.proto import caffe_pb2


def bn(place: ChainLayer) -> Rewrite | None:
    """Replaces the fork's BN, (x - mean) / sqrt(variance + eps) * slope + bias; SegNet's BN becomes a Scale."""
    if is_segnet_bn(place.layer):
        return segnet_bn(place)
    slope, bias, mean, variance = (blob.ravel() for blob in place.blobs)
    chain = Chain(place, "BN as BatchNorm + Scale")
    norm = chain.add("BatchNorm", blobs=[mean, variance, np.ones(1, np.float32)])
    norm.batch_norm_param.eps = place.layer.bn_param.eps
    norm.batch_norm_param.use_global_stats = True
    chain.add("Scale", blobs=[slope, bias]).scale_param.bias_term = True
    return chain.end()


def segnet_bn(place: ChainLayer) -> Rewrite | None:
    """Replaces SegNet's BN by a Scale, scale * x + shift; None if the layer normalises by the batch."""
    if place.layer.bn_param.bn_mode == caffe_pb2.BNParameter.LEARN:
        return None
    chain = Chain(place, "BN as Scale")
    chain.add("Scale", blobs=[blob.ravel() for blob in place.blobs]).scale_param.bias_term = True
    return chain.end()


def batch_norm(place: ChainLayer) -> Rewrite | None:
    """Keeps a BatchNorm with stored statistics; None for batch statistics, or a bottom without channels."""
    param = place.layer.batch_norm_param
    by_batch = param.HasField("use_global_stats") and not param.use_global_stats
    return None if by_batch or len(place.bottoms[0]) < 2 else as_it_is(place)


#: By operation of Reduction, the function applied to every element before the sum.
BEFORE_SUM: dict[str, Callable[[Chain], object]] = {
    "SUM": lambda chain: None,
    "MEAN": lambda chain: None,
    "ASUM": lambda chain: chain.add("AbsVal"),
    "SUMSQ": lambda chain: chain.power(2.0),
}


def reduction(place: ChainLayer) -> Rewrite:
    """Replaces a Reduction by global average pooling: the reduced elements become the height of an image."""
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
    chain.reshape(shape[:axis] if axis > 1 else [math.prod(shape[:axis]), 1])  # OpenCV has no blobs with one axis
    return chain.end()


def bias(place: ChainLayer) -> Rewrite | None:
    """Replaces a Bias with its own blob by a Scale with factors 1; None for a Bias with two bottoms."""
    if len(place.bottoms) > 1:
        return None
    chain = Chain(place, "Bias as Scale")
    scale = chain.add("Scale", blobs=[np.ones_like(place.blobs[0]), place.blobs[0]]).scale_param
    scale.axis, scale.num_axes, scale.bias_term = place.layer.bias_param.axis, place.layer.bias_param.num_axes, True
    return chain.end()


def clip(place: ChainLayer) -> Rewrite:
    """Replaces a Clip by min + relu(x - min) - relu(x - max)."""
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


def swish(place: ChainLayer) -> Rewrite:
    """Replaces a Swish with beta by x * sigmoid(beta * x), since OpenCV has no beta."""
    beta = place.layer.swish_param.beta
    if beta == 1:
        return as_it_is(place)
    chain = Chain(place, "Swish as Power + Sigmoid + Eltwise")
    chain.power(scale=beta)
    chain.add("Sigmoid")
    chain.add("Eltwise", place.layer.bottom[0]).eltwise_param.operation = caffe_pb2.EltwiseParameter.PROD
    return chain.end()


def log(place: ChainLayer) -> Rewrite:
    """Replaces a Log by log(shift + scale * x) / log(base), since OpenCV has only the natural logarithm."""
    param = place.layer.log_param
    chain = Chain(place, "Log with Powers around it")
    chain.power(scale=param.scale, shift=param.shift)
    chain.add("Log")
    chain.power(scale=1.0 if param.base == -1 else 1 / math.log(param.base))
    return chain.end()


def lrn(place: ChainLayer) -> Rewrite:
    """Rewrites an LRN for k = 1, since OpenCV ignores k: (k + a) ^ -beta = k ^ -beta * (1 + a / k) ^ -beta."""
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


def inner_product(place: ChainLayer) -> Rewrite:
    """Transposes the weights of an InnerProduct if needed, since OpenCV ignores the field `transpose`."""
    if not place.layer.inner_product_param.transpose:
        return as_it_is(place)
    weight, *rest = place.blobs
    place.layer.inner_product_param.transpose = False
    return Rewrite([place.layer], {place.layer.name: [np.ascontiguousarray(weight.T), *rest]}, "weights transposed")


def convolution(place: ChainLayer) -> Rewrite | None:
    """Keeps a Convolution with channels on axis 1 and two spatial axes; None for others."""
    rank = len(place.bottoms[0])
    return as_it_is(place) if place.layer.convolution_param.axis in (1, 1 - rank) and rank == 4 else None


def depthwise_convolution(place: ChainLayer) -> Rewrite | None:
    """Replaces a depthwise convolution by a Convolution with one group per channel."""
    channels, kind = place.bottoms[0][1], place.layer.type
    place.layer.type = "Convolution"
    place.layer.convolution_param.num_output = place.tops[0][1]
    place.layer.convolution_param.group = channels
    found = convolution(place)
    return found and Rewrite(found.layers, found.blobs, f"{kind} as Convolution with groups")


def pooling(place: ChainLayer) -> Rewrite | None:
    """Rewrites a Pooling: emulates sizes rounded down by slicing, since OpenCV rounds up.

    None for a top with the mask of maxima, which OpenCV counts differently.
    """
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
    # Crop would need a second bottom for the size, and Slice needs a non-empty rest. So the blob is doubled first.
    chain.add("Concat", chain.last).concat_param.axis = axis
    layer = chain.add("Slice")
    layer.slice_param.axis = axis
    layer.slice_param.slice_point[:] = [size]
    layer.top.append(f"{layer.name}~rest")


def slice_(place: ChainLayer) -> Rewrite:
    """Rewrites a Slice: adds slice points, which OpenCV requires, and copies the tops by Power layers.

    Without copies, later layers of OpenCV may overwrite all tops except the first.
    """
    param = place.layer.slice_param
    axis = (param.slice_dim if param.HasField("slice_dim") else param.axis) % len(place.bottoms[0])
    tops = list(place.layer.top)
    if not param.slice_point:
        param.slice_point[:] = np.cumsum([shape[axis] for shape in place.tops])[:-1].tolist()
    place.layer.name += "~slice"
    place.layer.top[:] = [f"{top}~slice" for top in tops]
    copies = [Layer(name=top, type="Power", bottom=[f"{top}~slice"], top=[top]) for top in tops]
    return Rewrite([place.layer, *copies])


def tile(place: ChainLayer) -> Rewrite:
    """Replaces a Tile by a Concat of the bottom with itself."""
    param = place.layer.tile_param
    chain = Chain(place, "Tile as Concat")
    chain.add("Concat", *[chain.last] * (param.tiles - 1)).concat_param.axis = param.axis % len(place.bottoms[0])
    return chain.end()


def axpy(place: ChainLayer) -> Rewrite | None:
    """Replaces an Axpy, scale (N, C) * x + y, by a Scale with two bottoms and an Eltwise; None for several items."""
    scale, x, y = place.layer.bottom
    count, channels = place.bottoms[0][:2]
    if count != 1:
        return None
    chain = Chain(place, "Axpy as Scale + Eltwise")
    chain.add("Reshape", bottom=scale).reshape_param.shape.dim[:] = [channels]
    chain.add("Scale", chain.last, bottom=x).scale_param.axis = 1
    chain.add("Eltwise", y)
    return chain.end()


def normalize(place: ChainLayer) -> Rewrite:
    """Keeps a Normalize, SSD's or the fork's; its scale becomes a vector, since OpenCV needs an axis."""
    blobs = {place.layer.name: [blob.reshape(-1) for blob in place.blobs]} if place.blobs else {}
    return Rewrite([place.layer], blobs)


def prior_box(place: ChainLayer) -> Rewrite | None:
    """Adds the variance and `clip` to a PriorBox, since OpenCV's defaults differ; truncates its sizes, as Caffe does.

    None for an image size other than the second bottom's, because OpenCV always uses the latter, and for SSTD's boxes.
    """
    param = place.layer.prior_box_param
    if param.width_by_ratio:
        return None
    height, width = place.bottoms[1][2:]
    stated = [getattr(param, name) for name in ("img_h", "img_w", "img_size") if param.HasField(name)]
    if any(size not in (height, width) for size in stated) or (param.HasField("img_size") and height != width):
        return None
    param.clip = param.clip
    for sizes in (param.min_size, param.max_size):
        sizes[:] = [int(size) for size in sizes]
    if not param.variance:
        param.variance[:] = [0.1]
    return as_it_is(place)


def detection_output(place: ChainLayer) -> Rewrite | None:
    """Adds the fields of a DetectionOutput that OpenCV requires, and room for all detections.

    None for what OpenCV lacks: code type CORNER_SIZE, adaptive thresholds, no background class, and priors whose
    variances the offsets hold already.
    """
    param = place.layer.detection_output_param
    is_lacking = param.variance_encoded_in_target or param.background_label_id < 0 or param.nms_param.eta != 1
    if is_lacking or param.code_type == caffe_pb2.PriorBoxParameter.CORNER_SIZE:
        return None
    for name in ("share_location", "background_label_id", "variance_encoded_in_target", "code_type"):
        setattr(param, name, getattr(param, name))
    if not param.HasField("confidence_threshold"):
        param.confidence_threshold = float(np.finfo(np.float32).min)
    if param.keep_top_k < 0:  # means all; OpenCV would then write beyond its blob
        param.keep_top_k = place.bottoms[1][1]
    param.nms_param.nms_threshold = param.nms_param.nms_threshold
    return as_it_is(place)


def interp(place: ChainLayer) -> Rewrite | None:
    """Keeps an Interp with height and width, or zoom_factor; None for shrinking, cropping or a second bottom."""
    param = place.layer.interp_param
    others = any(param.HasField(name) for name in ("shrink_factor", "pad_beg", "pad_end"))
    return None if others or len(place.bottoms) > 1 else as_it_is(place)


RewriteRule = Callable[[ChainLayer], Rewrite | None]

#: Types without a rule: OpenCV has nothing for them, or reads them so differently that their tops are fed from our run.
FED = (
    "ArgMax", "BatchReduction", "BatchReindex", "ContinuationIndicator", "Embed", "Filter", "Gather", "Im2col",
    "ImResize", "LSTM", "LSTMUnit", "MaskPooling", "MaskResize", "Parameter", "RNN", "Reorg", "SPP", "Scatter",
    "Threshold", "Unpooling", "Upsample",
)  # fmt: skip

#: Types that OpenCV runs as Caffe does, for all values of their fields.
AS_THEY_ARE = (
    "AbsVal", "BNLL", "Concat", "Crop", "Dropout", "ELU", "Eltwise", "Exp", "Flatten", "MVN", "PReLU",
    "PSROIPooling", "Permute", "Power", "ROIPooling", "ReLU", "ReLU6", "Reshape", "Scale", "ShuffleChannel",
    "Sigmoid", "Softmax", "TanH",
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


def rewrite_for_opencv(place: ChainLayer) -> Rewrite | None:
    """Returns the layers for OpenCV that replace the place's layer, or None if OpenCV cannot run it.

    May change the place's message.
    """
    rewrite = REWRITES.get(place.layer.type)
    return rewrite(place) if rewrite else None

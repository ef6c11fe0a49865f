"""Every type of the table against our own layers, which are tested against Caffe's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffe_compat.convert.onnx.table import EXPORTERS
from tests.convert.onnx.cases import check, net_of

IMAGE = (2, 6, 7, 5)


def layer(kind: str, fields: str = "", bottoms: Sequence[str] = "a", tops: str = "out") -> str:
    names = "".join(f' bottom: "{name}"' for name in bottoms) + "".join(f' top: "{name}"' for name in tops.split())
    return f'layer {{ name: "layer" type: "{kind}"{names} {fields} }}'


SEGNET_BN = "bn_param { scale_filler { value: 1 } }"


#: Of a feature map (N, 4, 3, 2) and an image: 3 x 2 places with 4 priors each.
PRIORS = (
    'layer { name: "priors" type: "PriorBox" bottom: "a" bottom: "b" top: "priors" prior_box_param { min_size: 9 '
    "max_size: 14 aspect_ratio: 2 variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 } }"
)
DETECTED = [(2, 4, 3, 2), (2, 3, 24, 16), (2, 24 * 4), (2, 24 * 3)]


def detection(fields: str) -> str:
    bottoms = ["c", "d", "priors"]
    return PRIORS + layer("DetectionOutput", f"detection_output_param {{ num_classes: 3 {fields} }}", bottoms)


def conv(fields: str) -> str:
    return f"convolution_param {{ num_output: 6 {fields} }}"


#: Text and shapes of the inputs; with an open batch where axis 0 is one.
DYNAMIC: dict[str, tuple[Any, ...]] = {
    "AbsVal": (layer("AbsVal"), IMAGE),
    "ArgMax": (layer("ArgMax", "argmax_param { top_k: 3 out_max_val: true }"), IMAGE),
    "ArgMax, axis": (layer("ArgMax", "argmax_param { axis: -2 top_k: 2 }"), IMAGE),
    "ArgMax, values on an axis": (layer("ArgMax", "argmax_param { axis: 1 top_k: 2 out_max_val: true }"), IMAGE),
    "Axpy": (layer("Axpy", bottoms="abc"), (2, 6), IMAGE, IMAGE),
    "BN": (layer("BN", "bn_param { eps: 0.1 }"), IMAGE),
    "BNLL": (layer("BNLL"), IMAGE),
    "BatchNorm": (layer("BatchNorm", "batch_norm_param { eps: 0.1 }"), IMAGE),
    "BatchNorm, rows": (layer("BatchNorm"), (4, 3)),
    "BatchNorm, one axis": (layer("BatchNorm"), (4,)),
    "MaskPooling": (layer("MaskPooling", bottoms="ab"), IMAGE, (2, 1, 7, 5)),
    "MaskResize": (layer("MaskResize", "mask_resize_param { output_height: 4 output_width: 11 }"), IMAGE),
    "Reorg": (layer("Reorg", "reorg_param { stride: 2 }"), (2, 8, 6, 4)),
    "Reorg, reverse": (layer("Reorg", "reorg_param { stride: 2 reverse: true }"), (2, 8, 3, 4)),
    "Unpooling, mean": (layer("Unpooling", "unpooling_param { unpool: AVE kernel_size: 3 stride: 2 }"), IMAGE),
    "BatchReduction": (
        layer(
            "BatchReduction", "batch_reduction_param { level: 1 level: 2 reduction_param { operation: MEAN axis: 1 } }"
        ),
        (2, 5, 3),
    ),
    "BatchReduction, whole": (layer("BatchReduction", "batch_reduction_param { reduction_param { axis: 2 } }"), IMAGE),
    "BatchReduction, top": (
        layer("BatchReduction", "batch_reduction_param { reduction_param { operation: TOPK k: 2 axis: 1 } }"),
        IMAGE,
    ),
    "Bias": (layer("Bias", "bias_param { axis: 1 num_axes: 2 }"), IMAGE),
    "Bias of a bottom": (layer("Bias", "bias_param { axis: 0 }", "ab"), IMAGE, (2, 6)),
    "Clip": (layer("Clip", "clip_param { min: -0.3 max: 0.7 }"), IMAGE),
    "Concat": (layer("Concat", "concat_param { axis: -2 }", "ab"), IMAGE, (2, 6, 3, 5)),
    "Convolution": (layer("Convolution", conv("kernel_size: 3 stride: 2 pad: 1 dilation: 2 group: 2")), IMAGE),
    "Convolution, whole": (layer("Convolution", conv("kernel_h: 7 kernel_w: 5 group: 6")), IMAGE),
    "Convolution, not filled": (layer("Convolution", conv("kernel_size: 8 stride: 3 stride: 4")), IMAGE),
    "Convolution, two": (layer("Convolution", conv("kernel_size: 2"), "ab", "x y"), IMAGE, (2, 6, 4, 4)),
    "Convolution, one axis": (layer("Convolution", conv("kernel_size: 3")), (2, 6, 9)),
    "Convolution, three axes": (
        layer("Convolution", conv("kernel_size: 2 kernel_size: 1 kernel_size: 3")),
        (2, 3, 4, 5, 6),
    ),
    "Convolution, no axis": (layer("Convolution", conv("kernel_size: 1 bias_term: false")), (3, 6)),
    "Convolution, axis 2": (layer("Convolution", conv("kernel_size: 3 axis: 2")), IMAGE),
    "ConvolutionDepthwise": (layer("ConvolutionDepthwise", "convolution_param { kernel_size: 3 }"), IMAGE),
    "Crop": (layer("Crop", "crop_param { axis: 2 offset: 2 offset: 1 }", "ab"), IMAGE, (2, 6, 4, 3)),
    "Crop, one offset": (layer("Crop", "crop_param { axis: 2 offset: 1 }", "ab"), IMAGE, (2, 6, 4, 4)),
    "Deconvolution": (layer("Deconvolution", conv("kernel_size: 3 stride: 2 pad: 1 group: 3")), IMAGE),
    "DepthwiseConvolution": (layer("DepthwiseConvolution", "convolution_param { kernel_size: 2 stride: 2 }"), IMAGE),
    "DetectionOutput": (detection("code_type: CENTER_SIZE nms_param { nms_threshold: 0.45 }"), *DETECTED),
    "DetectionOutput, cut": (
        detection("keep_top_k: 5 confidence_threshold: 0.25 nms_param { nms_threshold: 0.3 top_k: 7 }"),
        *DETECTED,
    ),
    "DetectionOutput, own boxes": (
        detection(
            "share_location: false background_label_id: 1 code_type: CORNER_SIZE variance_encoded_in_target: true "
            "nms_param { nms_threshold: 0.6 top_k: 20 } keep_top_k: 9"
        ),
        *DETECTED[:2],
        (2, 24 * 3 * 4),
        DETECTED[3],
    ),
    "DetectionOutput, nothing": (detection("confidence_threshold: 100 keep_top_k: 4"), *DETECTED),
    "DetectionOutput, none kept": (detection("keep_top_k: 0"), *DETECTED),
    "DetectionOutput, no background": (detection("background_label_id: -1"), *DETECTED),
    "Dropout": (layer("Dropout", "dropout_param { dropout_ratio: 0.7 }"), IMAGE),
    "Dropout, unscaled": (layer("Dropout", "dropout_param { dropout_ratio: 0.7 scale_train: false }"), IMAGE),
    "ELU": (layer("ELU", "elu_param { alpha: 0.6 }"), IMAGE),
    "Eltwise": (layer("Eltwise", "eltwise_param { coeff: 0.5 coeff: -2 coeff: 1 }", "abc"), IMAGE, IMAGE, IMAGE),
    "Eltwise, product": (layer("Eltwise", "eltwise_param { operation: PROD }", "ab"), IMAGE, IMAGE),
    "Eltwise, largest": (layer("Eltwise", "eltwise_param { operation: MAX }", "abc"), IMAGE, IMAGE, IMAGE),
    "Exp": (layer("Exp", "exp_param { base: 2.5 scale: 0.4 shift: 0.3 }"), IMAGE),
    "Flatten": (layer("Flatten", "flatten_param { axis: 2 }"), IMAGE),
    "Gather": (layer("Gather"), IMAGE),
    "Im2col": (layer("Im2col", "convolution_param { kernel_size: 3 stride: 2 pad: 1 dilation: 2 }"), IMAGE),
    "Im2col, axis 2": (layer("Im2col", "convolution_param { kernel_size: 2 axis: 2 }"), IMAGE),
    "InnerProduct": (layer("InnerProduct", "inner_product_param { num_output: 4 }"), IMAGE),
    "InnerProduct, axis 2": (
        layer("InnerProduct", "inner_product_param { num_output: 4 axis: 2 transpose: true bias_term: false }"),
        IMAGE,
    ),
    "Interp": (layer("Interp", "interp_param { zoom_factor: 2 pad_beg: -1 pad_end: -2 }"), IMAGE),
    "Interp, a second bottom's size": (
        layer("Pooling", "pooling_param { kernel_size: 2 stride: 2 }", tops="small")
        + layer("Interp", bottoms=["small", "a"]),
        IMAGE,
    ),
    "Interp, sizes": (layer("Interp", "interp_param { height: 4 width: 9 }"), IMAGE),
    "LRN": (layer("LRN", "lrn_param { local_size: 3 alpha: 0.4 beta: 0.6 k: 1.7 }"), IMAGE),
    "LRN, within": (layer("LRN", "lrn_param { local_size: 3 alpha: 0.4 norm_region: WITHIN_CHANNEL }"), IMAGE),
    "MVN": (layer("MVN", "mvn_param { across_channels: true eps: 0.1 }"), IMAGE),
    "MVN, mean only": (layer("MVN", "mvn_param { normalize_variance: false }"), (2, 3, 4)),
    "Normalize": (layer("Normalize", "norm_param { across_spatial: false eps: 0.1 }"), IMAGE),
    "Normalize of the fork": (layer("Normalize"), IMAGE),
    "NormalizeBBox": (layer("NormalizeBBox", "norm_param { channel_shared: true }"), IMAGE),
    "PReLU": (layer("PReLU"), IMAGE),
    "PReLU, shared": (layer("PReLU", "prelu_param { channel_shared: true }"), (2, 3)),
    "Permute": (layer("Permute", "permute_param { order: 0 order: 2 }"), IMAGE),
    "Pooling, mask": (layer("Pooling", "pooling_param { kernel_size: 3 stride: 2 }", tops="x mask"), IMAGE),
    "Power": (layer("Power", "power_param { power: 2 scale: 0.5 shift: 1.5 }"), IMAGE),
    "Power, shift": (layer("Power", "power_param { shift: 1.5 }"), IMAGE),
    "Power, constant": (layer("Power", "power_param { power: 3 scale: 0 shift: 2 }"), IMAGE),
    "ReLU": (layer("ReLU"), IMAGE),
    "ReLU, leaky": (layer("ReLU", "relu_param { negative_slope: 0.3 }"), IMAGE),
    "ReLU6": (layer("Power", "power_param { scale: 9 }", tops="p") + layer("ReLU6", bottoms="p"), IMAGE),
    "Reduction": (layer("Reduction", "reduction_param { axis: 2 coeff: 0.3 }"), IMAGE),
    "Reduction, absolute": (layer("Reduction", "reduction_param { operation: ASUM axis: 1 }"), IMAGE),
    "Reduction, squares": (layer("Reduction", "reduction_param { operation: SUMSQ axis: -1 }"), IMAGE),
    "Reduction, mean": (layer("Reduction", "reduction_param { operation: MEAN axis: 1 }"), IMAGE),
    "Reduction, top": (layer("Reduction", "reduction_param { operation: TOPK k: 4 axis: 2 }"), IMAGE),
    "Reshape": (layer("Reshape", "reshape_param { shape { dim: 0 dim: 2 dim: -1 dim: 5 } }"), IMAGE),
    "SPP": (layer("SPP", "spp_param { pyramid_height: 2 }"), IMAGE),
    "SPP, one level": (layer("SPP", "spp_param { pyramid_height: 1 pool: AVE }"), IMAGE),
    "Scale": (layer("Scale", "scale_param { axis: 1 num_axes: 2 bias_term: true }"), IMAGE),
    "Scale, one number": (layer("Scale", "scale_param { num_axes: 0 bias_term: true }"), IMAGE),
    "Scale of a bottom": (layer("Scale", "scale_param { axis: 0 }", "ab"), IMAGE, (2, 6)),
    "Scatter": (layer("Scatter"), IMAGE),
    "ShuffleChannel": (layer("ShuffleChannel", "shuffle_channel_param { group: 3 }"), IMAGE),
    "Sigmoid": (layer("Sigmoid"), IMAGE),
    "Slice": (layer("Slice", "slice_param { axis: -2 slice_point: 2 slice_point: 3 }", tops="x y z"), IMAGE),
    "Slice, equal": (layer("Slice", tops="x y"), IMAGE),
    "Softmax": (layer("Softmax", "softmax_param { axis: -1 }"), IMAGE),
    "Split": (layer("Split", tops="x y"), IMAGE),
    "Swish": (layer("Swish", "swish_param { beta: 1.7 }"), IMAGE),
    "TanH": (layer("TanH"), IMAGE),
    "Threshold": (layer("Threshold", "threshold_param { threshold: 0.2 }"), IMAGE),
    "Tile": (layer("Tile", "tile_param { axis: -2 tiles: 3 }"), IMAGE),
}


@pytest.mark.parametrize("name", DYNAMIC)
def test_with_an_open_batch(name: str, tmp_path: Path) -> None:
    text, *shapes = DYNAMIC[name]
    check(net_of(text, *shapes), tmp_path, dynamic=True)


RECURRENT = "recurrent_param { num_output: 3 %s }"
MARKERS = np.array([[0, 1], [1, 1], [1, 0], [1, 1]], np.float32)
#: Layers without a batch on axis 0 of every blob, or whose bottoms hold indices.
FIXED: dict[str, tuple[str, list[tuple[int, ...]], dict[str, Any]]] = {
    "BatchNorm of the batch": (
        layer("BatchNorm", "batch_norm_param { use_global_stats: false eps: 0.1 }"),
        [IMAGE],
        {},
    ),
    "BatchReindex": (layer("BatchReindex", bottoms="ab"), [IMAGE, (3,)], {"b": [1, 0, 1]}),
    "BatchReduction of the batch": (layer("BatchReduction"), [IMAGE], {}),
    "Embed": (layer("Embed", "embed_param { input_dim: 5 num_output: 4 }"), [(2, 3)], {"a": [[0, 4, 1], [2, 2, 3]]}),
    "Embed, no bias": (
        layer("Embed", "embed_param { input_dim: 5 num_output: 4 bias_term: false }"),
        [(3,)],
        {"a": [0, 4, 1]},
    ),
    "Filter": (layer("Filter", bottoms="abc", tops="x y"), [IMAGE, (2, 3), (2, 1)], {"c": [[0], [2]]}),
    "LSTM": (layer("LSTM", RECURRENT % "", "ab"), [(4, 2, 3), (4, 2)], {"b": MARKERS}),
    "LSTM, states": (
        layer("LSTM", RECURRENT % "expose_hidden: true", "abcde", "h last cell"),
        [(4, 2, 5), (4, 2), (2, 6), (1, 2, 3), (1, 2, 3)],
        {"b": MARKERS},
    ),
    "ImResize": (
        layer("ImResize", "imresize_param { factor: 2 start_scale: 0.75 scale_gap: 0.25 }"),
        [(2, 3, 8, 9)],
        {},
    ),
    "LSTMUnit": (layer("LSTMUnit", bottoms="abc", tops="c2 h"), [(1, 2, 3), (1, 2, 12), (1, 2)], {"c": [[1, 0]]}),
    "Log": (layer("Log", "log_param { base: 3 scale: 0.5 shift: 1 }"), [(2, 3)], {"a": [[1, 2, 3], [0.5, 0, 9]]}),
    "Log to e": (layer("Log"), [(2,)], {"a": [1, 2]}),
    "PSROIPooling": (
        layer("PSROIPooling", "psroi_pooling_param { output_dim: 3 group_size: 2 spatial_scale: 0.5 }", "ab"),
        [(2, 12, 6, 8), (5, 5)],
        {"b": [[0, 1, 2, 13, 9], [1, -3, 5, 40, 11], [1, 4, 4, 4, 4], [0, 90, 90, 99, 99], [1, 9, 9, 2, 3]]},
    ),
    "ContinuationIndicator": (
        layer("ContinuationIndicator", "continuation_indicator_param { time_step: 3 batch_size: 2 }", ""),
        [],
        {},
    ),
    "Parameter": (layer("Parameter", "parameter_param { shape { dim: 2 dim: 3 } }", ""), [], {}),
    "Permute of the batch": (layer("Permute", "permute_param { order: 2 }"), [IMAGE], {}),
    "PriorBox": (
        layer(
            "PriorBox",
            "prior_box_param { min_size: 7 max_size: 15 aspect_ratio: 3 flip: true clip: true variance: 0.1 "
            "variance: 0.2 variance: 0.3 variance: 0.4 step: 8 offset: 0.25 }",
            "ab",
        ),
        [(1, 2, 3, 5), (1, 3, 29, 41)],
        {},
    ),
    "RNN": (layer("RNN", RECURRENT % "", "ab"), [(4, 2, 3), (4, 2)], {"b": MARKERS}),
    "RNN, states": (
        layer("RNN", RECURRENT % "expose_hidden: true", "abc", "h last"),
        [(4, 2, 5), (4, 2), (1, 2, 3)],
        {"b": MARKERS},
    ),
    "ROIPooling": (
        layer("ROIPooling", "roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5 }", "ab"),
        [IMAGE, (2, 5)],
        {"b": [[0, 1, 2, 8, 12], [1, 0, 0, 4, 5]]},
    ),
    "SegNet's BN": (layer("BN", SEGNET_BN), [IMAGE], {}),
    "SegNet's BN, inference": (layer("BN", SEGNET_BN.replace("{", "{ bn_mode: INFERENCE", 1)), [IMAGE], {}),
    "Slice of the batch": (layer("Slice", "slice_param { axis: 0 }", tops="x y"), [IMAGE], {}),
    "Tied values": (layer("ArgMax", "argmax_param { top_k: 2 }"), [(2, 4)], {"a": [[1, 3, 3, 0], [2, 2, 2, 2]]}),
    "Upsample without a mask": (layer("Upsample", "upsample_param { scale_h: 3 scale_w: 2 }"), [(2, 6, 6, 4)], {}),
    "Unpooling": (
        layer("Pooling", "pooling_param { kernel_size: 2 stride: 2 }", tops="x mask")
        + layer("Unpooling", "unpooling_param { kernel_size: 2 stride: 2 unpool_size: 9 }", ["x", "mask"]),
        [(2, 6, 6, 4)],
        {},
    ),
    "Upsample": (
        layer("Pooling", "pooling_param { kernel_size: 2 stride: 2 }", tops="x mask")
        + layer("Upsample", "upsample_param { upsample_h: 7 upsample_w: 5 }", ["x", "mask"]),
        [(2, 6, 6, 4)],
        {},
    ),
}


@pytest.mark.parametrize("name", FIXED)
def test_with_a_fixed_batch(name: str, tmp_path: Path) -> None:
    text, shapes, given = FIXED[name]
    check(net_of(text, *shapes), tmp_path, given)


def test_every_type_has_a_case() -> None:
    tested = {name.split(",")[0].split(" ")[0] for name in [*DYNAMIC, *FIXED]}
    assert set(EXPORTERS) - tested - {"Pooling"} == set()

"""OpenCV's importer as the other side."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.build import load_net
from caffe_compat.parity.opencv import compare_with_opencv, record_opencv, require_importer
from caffe_compat.parity.opencv_net import translate
from caffe_compat.parity.text_table import conclusion
from caffe_compat.proto.read import read_weights
from tests.parity.nets import inputs_of, net_of

RELEASED = Path(__file__).resolve().parents[1] / "goldens/srn_fork/released_like"
DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 4 dim: 6 dim: 7 } } }\n'

#: One layer from blob `data` to blob `x` (see BOTTOMS for more), and what is said of it.
LAYERS = {
    "BN": ('type: "BN" bn_param { eps: 0.01 }', "BN as BatchNorm + Scale"),
    "SegNet's BN": (
        'type: "BN" bn_param { scale_filler { type: "gaussian" std: 1 } bn_mode: INFERENCE }',
        "BN as Scale",
    ),
    "BatchNorm": ('type: "BatchNorm" batch_norm_param { eps: 0.01 }', ""),
    "Bias": ('type: "Bias" bias_param { axis: 1 }', "Bias as Scale"),
    "Clip": ('type: "Clip" clip_param { min: -0.3 max: 0.7 }', "Clip as two ReLUs"),
    "Swish": ('type: "Swish" swish_param { beta: 1.7 }', "Swish as Power + Sigmoid + Eltwise"),
    "Swish with beta 1": ('type: "Swish"', ""),
    "Log": ('type: "Log" log_param { base: 3 scale: 0.1 shift: 2 }', "Log with Powers around it"),
    "natural Log": ('type: "Log" log_param { scale: 0.1 shift: 2 }', "Log with Powers around it"),
    "LRN": ('type: "LRN" lrn_param { local_size: 3 alpha: 0.6 beta: 0.8 k: 2 }', "LRN with k 1 + Power"),
    "LRN with k 1": ('type: "LRN" lrn_param { local_size: 3 alpha: 0.6 beta: 0.8 }', ""),
    "InnerProduct": (
        'type: "InnerProduct" inner_product_param { num_output: 5 transpose: true }', "weights transposed",
    ),
    "Convolution": ('type: "Convolution" convolution_param { num_output: 6 kernel_size: 3 group: 2 pad: 1 }', ""),
    "DepthwiseConvolution": (
        'type: "DepthwiseConvolution" convolution_param { num_output: 4 kernel_size: 3 pad: 1 }',
        "DepthwiseConvolution as Convolution with groups",
    ),
    "ConvolutionDepthwise": (
        'type: "ConvolutionDepthwise" convolution_param { num_output: 4 kernel_size: 3 pad: 1 }',
        "ConvolutionDepthwise as Convolution with groups",
    ),
    "ShuffleChannel": ('type: "ShuffleChannel" shuffle_channel_param { group: 2 }', ""),
    "Permute": ('type: "Permute" permute_param { order: 0 order: 2 order: 3 order: 1 }', ""),
    "ReLU6": ('type: "ReLU6"', ""),
    "floor Pooling": (
        'type: "Pooling" pooling_param { kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR }',
        "Pooling with FLOOR as Pooling + Slice",
    ),
    "average Pooling": ('type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }', ""),
    "Reduction SUM of space": ('type: "Reduction" reduction_param { axis: 2 coeff: 0.3 }', "Reduction as"),
    "Reduction MEAN of columns": ('type: "Reduction" reduction_param { axis: -1 operation: MEAN }', "Reduction as"),
    "Reduction ASUM of all": ('type: "Reduction" reduction_param { operation: ASUM coeff: 0.01 }', "Reduction as"),
    "Reduction SUMSQ of items": ('type: "Reduction" reduction_param { axis: 1 operation: SUMSQ }', "Reduction as"),
    "Interp": ('type: "Interp" interp_param { height: 11 width: 9 }', ""),
    "Interp by a factor": ('type: "Interp" interp_param { zoom_factor: 3 }', ""),
    "Normalize of the fork": ('type: "Normalize"', ""),
    "Normalize, a scale for each channel": (
        'type: "Normalize" norm_param { across_spatial: false channel_shared: false }', "",
    ),
    "NormalizeBBox, one scale": ('type: "NormalizeBBox" norm_param { across_spatial: true eps: 0.1 }', ""),
    "Tile": ('type: "Tile" tile_param { axis: -1 tiles: 3 }', "Tile as Concat"),
}  # fmt: skip


def single(text: str, more: str = "") -> str:
    return DATA + f'layer {{ name: "x" bottom: "data" top: "x" {text} }}\n{more}'


@pytest.mark.parametrize("case", LAYERS)
def test_a_layer_gives_the_same_in_opencvs_words_and_the_rewrite_is_said(case: str) -> None:
    text, note = LAYERS[case]
    after = 'layer { name: "after" type: "Power" bottom: "x" top: "x" power_param { scale: 0.5 shift: 1 } }'
    net = net_of(single(text, after))
    comparison = compare_with_opencv(net, inputs_of(net))
    assert comparison.agrees
    assert [row.layer for row in comparison.differences] == ["x", "after"]
    assert comparison.against == f"OpenCV {cv2.__version__}"
    assert len(comparison.notes) == bool(note)
    assert all(said.startswith(f"layer 'x' ({net.step_of('x').layer.spec.type}): {note}") for said in comparison.notes)


def test_slices_keep_their_values_although_later_layers_run_in_place() -> None:
    more = """
    layer { name: "cut" type: "Slice" bottom: "data" top: "a" top: "b" slice_param { axis: 1 } }
    layer { name: "relu" type: "ReLU" bottom: "b" top: "b" }
    layer { name: "join" type: "Concat" bottom: "b" bottom: "a" top: "c" }
    """
    net = net_of(DATA + more)
    comparison = compare_with_opencv(net, inputs_of(net))
    assert comparison.agrees
    assert [row.blob for row in comparison.differences] == ["a", "b", "b", "c"]


def test_axpy_is_said_for_one_item_and_fed_for_more() -> None:
    text = """
    layer {{ name: "in" type: "Input" top: "s" top: "x" top: "y" input_param {{
        shape {{ dim: {0} dim: 4 }} shape {{ dim: {0} dim: 4 dim: 3 dim: 5 }}
        shape {{ dim: {0} dim: 4 dim: 3 dim: 5 }} }} }}
    layer {{ name: "axpy" type: "Axpy" bottom: "s" bottom: "x" bottom: "y" top: "z" }}
    layer {{ name: "after" type: "TanH" bottom: "z" top: "z" }}
    """
    for items, layers in ((1, ["axpy", "after"]), (2, ["after"])):
        net = net_of(text.format(items))
        comparison = compare_with_opencv(net, inputs_of(net))
        assert comparison.agrees
        assert [row.layer for row in comparison.differences] == layers


@pytest.mark.parametrize(
    "text",
    [
        'type: "Threshold" threshold_param { threshold: 0.1 }',
        'type: "BatchNorm" batch_norm_param { use_global_stats: false }',
        'type: "Convolution" convolution_param { num_output: 3 kernel_size: 2 axis: 2 }',
        'type: "ArgMax" argmax_param { axis: 1 }',
    ],
)
def test_what_opencv_lacks_is_fed_from_our_run_and_said_so(text: str) -> None:
    net = net_of(single(text, 'layer { name: "after" type: "TanH" bottom: "x" top: "y" }'))
    comparison = compare_with_opencv(net, inputs_of(net))
    assert comparison.agrees
    assert [row.layer for row in comparison.differences] == ["after"]
    assert comparison.differences[0].since == ()
    assert comparison.not_compared == ["x -> x"]
    spec = net.step_of("x").layer.spec
    lacks = "has it in another form only" if spec.type in ("BatchNorm", "Convolution") else "has nothing for it"
    assert comparison.notes == [f"{spec}: OpenCV {lacks}; its tops are fed from our run"]
    assert conclusion(comparison).endswith(": 1 of 2 layers, 1 not compared: x")


SSD = """
layer {{ name: "i" type: "Input" top: "f" top: "image" top: "loc" top: "conf"
  input_param {{ shape {{ dim: 2 dim: 4 dim: 3 dim: 2 }} shape {{ dim: 2 dim: 3 dim: 24 dim: 16 }}
    shape {{ dim: 2 dim: 96 }} shape {{ dim: 2 dim: 72 }} }} }}
layer {{ name: "p" type: "PriorBox" bottom: "f" bottom: "image" top: "p"
  prior_box_param {{ min_size: 9.7 max_size: 14.9 aspect_ratio: 2 {0} }} }}
layer {{ name: "x" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "p" top: "x"
  detection_output_param {{ num_classes: 3 {1} }} }}
"""


@pytest.mark.parametrize("priors", ["", "clip: true variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 step: 8"])
@pytest.mark.parametrize(
    "fields",
    [
        "",
        "code_type: CENTER_SIZE nms_param { nms_threshold: 0.45 top_k: 400 } keep_top_k: 99 confidence_threshold: 0.01",
        "nms_param { nms_threshold: 0.3 top_k: 7 } keep_top_k: 5 confidence_threshold: 0.2 background_label_id: 1",
        "confidence_threshold: 9",
    ],
)
def test_priors_and_detections_of_ssd(priors: str, fields: str) -> None:
    net = net_of(SSD.format(priors, fields))
    comparison = compare_with_opencv(net, inputs_of(net))
    assert comparison.agrees
    assert [row.layer for row in comparison.differences] == ["p", "x"]
    assert comparison.notes == []


@pytest.mark.parametrize(
    ("priors", "fields", "layer"),
    [
        ("img_size: 40", "", "p"),
        ("img_h: 24 img_w: 17", "", "p"),
        ("width_by_ratio: true", "", "p"),
        ("", "code_type: CORNER_SIZE", "x"),
        ("", "nms_param { eta: 0.9 }", "x"),
        ("", "variance_encoded_in_target: true", "x"),
        ("", "background_label_id: -1", "x"),
    ],
)
def test_forms_that_opencv_lacks_are_fed(priors: str, fields: str, layer: str) -> None:
    net = net_of(SSD.format(priors, fields))
    comparison = compare_with_opencv(net, inputs_of(net))
    assert comparison.agrees
    assert comparison.unseen_layers == [layer]
    (note,) = comparison.notes
    assert note == f"{net.step_of(layer).layer.spec}: OpenCV has it in another form only; its tops are fed from our run"


def test_losses_and_their_labels_are_left_out() -> None:
    more = 'layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }\n'
    more += 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }\n'
    more += 'layer { name: "accuracy" type: "Accuracy" bottom: "y" bottom: "label" top: "accuracy" }\n'
    net = net_of(
        DATA
        + 'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "y" inner_product_param { num_output: 3 } }'
        + more
    )
    inputs = inputs_of(net) | {"label": np.array([1, 2], np.float32)}
    comparison = compare_with_opencv(net, inputs)
    assert comparison.agrees
    assert [row.layer for row in comparison.differences] == ["ip"]
    assert comparison.not_compared == ["loss -> loss", "accuracy -> accuracy"]


def test_a_fan_out_and_rules_are_resolved() -> None:
    more = """
    layer { name: "a" type: "ReLU" bottom: "data" top: "a" include { phase: TEST } }
    layer { name: "b" type: "TanH" bottom: "data" top: "b" exclude { phase: TRAIN } }
    layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "s" eltwise_param { coeff: 0.3 coeff: 2 } }
    """
    net = net_of(DATA + more)
    translated = translate(net)
    assert [layer.type for layer in translated.parameter.layer] == ["Input", "ReLU", "TanH", "Eltwise"]
    assert not any(layer.include or layer.exclude or layer.param for layer in translated.parameter.layer)
    assert compare_with_opencv(net, inputs_of(net)).agrees


def test_opencv_5_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "__version__", "5.1.0")
    with pytest.raises(
        MissingFeatureError, match=r"^OpenCV 5\.1\.0 has no Caffe importer .* install 'opencv-python>=4"
    ):
        require_importer()
    monkeypatch.undo()
    monkeypatch.delattr(cv2.dnn, "readNetFromCaffe")
    with pytest.raises(MissingFeatureError, match=r"has no Caffe importer"):
        require_importer()


def test_a_net_of_nothing_that_opencv_has_is_refused() -> None:
    net = net_of(single('type: "Threshold"'))
    with pytest.raises(MissingFeatureError, match=r"^OpenCV [\d.]+ has none of this net's layers$"):
        record_opencv(net, inputs_of(net))


def test_what_opencv_says_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise cv2.error("no such thing")

    monkeypatch.setattr(cv2.dnn, "readNetFromCaffe", refuse)
    net = net_of(single('type: "ReLU"'))
    with pytest.raises(MissingFeatureError, match=r"^OpenCV [\d.]+ cannot run this net: no such thing$"):
        record_opencv(net, inputs_of(net))


@pytest.mark.slow
def test_the_released_structure_is_the_same_in_opencv() -> None:
    net = load_net(str(RELEASED / "net.prototxt"), "TEST")
    net.copy_layers(read_weights(str(RELEASED / "weights.caffemodel")).layers, "weights.caffemodel")
    comparison = compare_with_opencv(net, {"data": np.random.default_rng(2).normal(0, 50, (1, 3, 224, 224))})
    assert comparison.agrees
    assert len(comparison.differences) == 392
    assert sum("BN as BatchNorm + Scale" in note for note in comparison.notes) > 100

"""Nets exported with open height and width against our own layers, on images of several sizes."""

from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from caffe_compat.convert.model import Assembly
from caffe_compat.convert.onnx.check import compare_with_onnxruntime
from caffe_compat.convert.onnx.export import export_onnx, onnx_bytes
from caffe_compat.convert.onnx.open_size import OPEN_SIZE
from caffe_compat.convert.onnx.table import EXPORTERS
from caffe_compat.errors import ShapeError
from tests.convert.onnx.cases import assert_agrees, inputs_of, net_of

IMAGE = (2, 6, 12, 8)
#: Types whose tops are of one size, or whose weights are.
OF_ONE_SIZE = {
    "BatchReduction", "ContinuationIndicator", "DetectionOutput", "Embed", "ImResize", "Im2col", "InnerProduct", "LSTM",
    "LSTMUnit", "MaskResize", "PSROIPooling", "Parameter", "PriorBox", "RNN", "Reorg", "SPP", "Unpooling",
}  # fmt: skip


def layer(kind: str, fields: str = "", bottoms: str = "a", top: str = "out") -> str:
    names = "".join(f' bottom: "{name}"' for name in bottoms.split())
    return f'layer {{ name: "{top}" type: "{kind}"{names} top: "{top}" {fields} }}'


def pooling(fields: str) -> str:
    return layer("Pooling", f"pooling_param {{ {fields} }}")


TWICE = layer("Deconvolution", "convolution_param { num_output: 6 kernel_size: 4 stride: 2 pad: 1 }", top="twice")
HALF = layer("Convolution", "convolution_param { num_output: 6 kernel_size: 3 stride: 2 }", top="half")
CASES = {
    "Convolution": HALF.replace("half", "out"),
    "Deconvolution": TWICE.replace("twice", "out"),
    "maxima, rounded up": pooling("kernel_size: 3 stride: 2"),
    "maxima, padded": pooling("kernel_size: 3 stride: 2 pad: 1"),
    "maxima, last window dropped": pooling("kernel_size: 2 stride: 2 pad: 1"),
    "maxima, last window dropped for the other axis's padding": pooling("kernel_size: 2 stride: 3 pad_h: 1 pad_w: 0"),
    "maxima, gaps": pooling("kernel_size: 2 stride: 3"),
    "maxima, rounded down": pooling("kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR"),
    "maximum": pooling("global_pooling: true"),
    "averages, rounded up": pooling("pool: AVE kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3"),
    "averages, padded": pooling("pool: AVE kernel_size: 3 stride: 2 pad: 1"),
    "averages, all windows whole": pooling("pool: AVE kernel_size: 3 pad: 1"),
    "average": pooling("pool: AVE global_pooling: true"),
    "by chance": layer("AbsVal", top="b") + pooling("pool: STOCHASTIC kernel_size: 3 stride: 2").replace('"a"', '"b"'),
    "Flatten": layer("Flatten"),
    "Flatten, two axes": layer("Flatten", "flatten_param { axis: 2 }"),
    "Reshape": layer("Reshape", "reshape_param { shape { dim: 0 dim: 2 dim: -1 } }"),
    "Reshape, channels": layer("Reshape", "reshape_param { axis: 1 num_axes: 1 shape { dim: 2 dim: 3 } }"),
    "Reduction": layer("Reduction", "reduction_param { axis: 2 coeff: 0.5 operation: MEAN }"),
    "Reduction, columns": layer("Reduction", "reduction_param { axis: -1 operation: ASUM }"),
    "ArgMax": layer("ArgMax", "argmax_param { axis: 1 top_k: 2 }"),
    "Slice": layer("Slice", "slice_param { slice_point: 2 }").replace('top: "out"', 'top: "x" top: "y"'),
    "ShuffleChannel": layer("ShuffleChannel", "shuffle_channel_param { group: 2 }"),
    "Scale": layer("Scale", "scale_param { bias_term: true }"),
    "Scale of maps": layer("Scale", "scale_param { axis: 0 }", "a a"),
    "Bias of a vector": pooling("pool: AVE global_pooling: true").replace('"out"', '"mean"')
    + layer("Flatten", bottoms="mean", top="flat") + layer("Bias", "bias_param { axis: 0 }", "a flat"),
    "Crop": TWICE + layer("Crop", "crop_param { axis: 2 offset: 3 offset: 1 }", "twice a"),
    "Crop, one axis": TWICE + layer("Crop", "crop_param { axis: 3 offset: 2 }", "twice a"),
    "Interp": layer("Interp", "interp_param { shrink_factor: 2 zoom_factor: 3 pad_beg: -1 pad_end: -2 }"),
    "Interp, begin cropped": layer("Interp", "interp_param { zoom_factor: 2 pad_beg: -1 }"),
    "Interp, fixed": layer("Interp", "interp_param { height: 7 width: 5 }"),
    "Interp like": HALF + layer("Interp", bottoms="half a"),
    "Upsample": layer("Upsample", "upsample_param { scale_h: 3 scale_w: 2 }"),
    "Concat": HALF + TWICE + layer("Concat", "concat_param { axis: 1 }", "a a"),
    "BatchNorm": layer("BatchNorm", top="n") + layer("Scale", "scale_param { bias_term: true }", "n"),
    "LRN": layer("LRN", "lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 }"),
    "Tile": layer("Tile", "tile_param { axis: 1 tiles: 2 }"),
    "Softmax": layer("Softmax"),
    "PReLU": layer("PReLU"),
    "Permute": layer("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }"),
}  # fmt: skip


def with_size(net: Assembly, height: int, width: int) -> Assembly:
    shapes = {name: (*shape[:2], height, width) if len(shape) == 4 else shape for name, shape in net.inputs.items()}
    return replace(net, inputs=shapes)


@pytest.mark.parametrize(
    ("name", "dynamic"), [*((name, True) for name in CASES), ("Reshape", False), ("averages, padded", False)]
)
def test_any_size(name: str, dynamic: bool, tmp_path: Path) -> None:
    net = net_of(CASES[name], IMAGE)
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_bytes("net.onnx", export_onnx(net, dynamic=dynamic, dynamic_size=True)))
    for height, width in (IMAGE[2:], (11, 9), (24, 24)):
        inputs = inputs_of(with_size(net, height, width), batch=3 if dynamic else None)
        assert_agrees(net, path, inputs, tolerance=2e-5)


def test_open_axes_have_names() -> None:
    model = export_onnx(net_of(CASES["Convolution"], IMAGE), dynamic=True, dynamic_size=True)
    (given,), (made,) = model.graph.input, model.graph.output

    def sizes(info: onnx.ValueInfoProto) -> list[str | int]:
        return [axis.dim_param or axis.dim_value for axis in info.type.tensor_type.shape.dim]

    assert sizes(given) == ["N", 6, "height", "width"]
    assert sizes(made) == ["N", 6, "out_2", "out_3"]


def test_a_net_is_checked_on_other_sizes() -> None:
    """A model whose size was left open by mistake is found out."""
    net = net_of(pooling("pool: AVE kernel_size: 3 stride: 2"), (1, 2, 5, 7))
    model = export_onnx(net)
    for axis in (2, 3):
        for info in (model.graph.input[0], model.graph.output[0]):
            info.type.tensor_type.shape.dim[axis].dim_param = f"{info.name}_{axis}"
    data = onnx_bytes("net.onnx", model)

    assert compare_with_onnxruntime("net.onnx", data, net).error < 1e-5
    with pytest.raises(Exception, match=r"net\.onnx: onnxruntime's 'out' differs from ours by inf"):
        compare_with_onnxruntime("net.onnx", data, net, dynamic_size=True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (layer("InnerProduct", "inner_product_param { num_output: 2 }"), "its weights are made for one size"),
        (
            layer("Reshape", "reshape_param { shape { dim: 2 dim: 6 dim: 96 } }"),
            "it takes no image of 4 times the size",
        ),
        (layer("SPP", "spp_param { pyramid_height: 2 }"), "what it gives is written for one size"),
        (
            layer("Convolution", "convolution_param { num_output: 2 kernel_size: 1 axis: 2 }", "a"),
            "(its weights are made for one size|its axis 2 is laid out for one size)",
        ),
        (layer("ArgMax"), "it runs along an axis that follows the image"),
        (layer("ArgMax", "argmax_param { axis: 3 }"), "it runs along an axis that follows the image"),
        (layer("Scale", "scale_param { axis: 2 }", "a b"), "its second bottom follows the image and is not laid over"),
        (pooling("pool: STOCHASTIC global_pooling: true"), "ONNX has no global pooling by STOCHASTIC"),
        (pooling("kernel_size: 2 stride: 2").replace("top:", 'top: "t" top:'), "its mask counts through an image"),
    ],
)
def test_layers_that_fix_the_size_are_named(text: str, why: str) -> None:
    turned = layer("Permute", "permute_param { order: 2 order: 0 order: 1 order: 3 }", top="turned")
    rows = turned + layer("Reduction", "reduction_param { axis: 1 }", "turned", "b")
    net = net_of((rows if '"b"' in text else "") + text, IMAGE)
    with pytest.raises(ShapeError, match=rf"^layer 'out' .*: {why}.*export with fixed sizes .without --dynamic-size"):
        export_onnx(net, dynamic_size=True)


DETECTOR = """
layer { name: "one" type: "Convolution" bottom: "a" top: "one" convolution_param { num_output: 8 kernel_size: 1 } }
layer { name: "two" type: "Convolution" bottom: "one" top: "two"
  convolution_param { num_output: 8 kernel_size: 3 stride: 2 } }
layer { name: "boxes one" type: "Flatten" bottom: "one" top: "boxes one" }
layer { name: "boxes two" type: "Flatten" bottom: "two" top: "boxes two" }
layer { name: "priors one" type: "PriorBox" bottom: "one" bottom: "a" top: "priors one"
  prior_box_param { min_size: 3 } }
layer { name: "priors two" type: "PriorBox" bottom: "two" bottom: "a" top: "priors two"
  prior_box_param { min_size: 5 } }
layer { name: "boxes" type: "Concat" bottom: "boxes one" bottom: "boxes two" top: "boxes" }
layer { name: "scores" type: "Power" bottom: "boxes" top: "scores" power_param { scale: 0.1 } }
layer { name: "priors" type: "Concat" bottom: "priors one" bottom: "priors two" top: "priors" concat_param { axis: 2 } }
layer { name: "out" type: "Reshape" bottom: "priors" top: "out" reshape_param { shape { dim: -1 } } }
"""


def test_the_outputs_of_the_advice_can_have_an_open_size() -> None:
    net = net_of(DETECTOR, IMAGE)
    message = (
        r"^layer 'priors one' \(PriorBox\): what it gives is written for one size; export with fixed sizes \(without "
        r"--dynamic-size\), or take outputs that do not depend on it \(--outputs one two scores\)$"
    )
    with pytest.raises(ShapeError, match=message):
        export_onnx(net, ["out", "scores"], dynamic_size=True)
    advised = ["one", "two", "scores"]
    data = onnx_bytes("net.onnx", export_onnx(net, advised, dynamic_size=True))
    assert compare_with_onnxruntime("net.onnx", data, net, advised, dynamic_size=True).error < 1e-5


def test_a_layer_that_reads_only_inputs_leaves_no_outputs_to_advise() -> None:
    net = net_of(layer("InnerProduct", "inner_product_param { num_output: 2 }"), IMAGE)
    with pytest.raises(ShapeError, match=r"export with fixed sizes \(without --dynamic-size\)$"):
        export_onnx(net, dynamic_size=True)


def test_a_net_without_images_has_no_size_to_leave_open() -> None:
    net = net_of(layer("InnerProduct", "inner_product_param { num_output: 2 }"), (2, 3))
    with pytest.raises(ShapeError, match=r"^net\.caffemodel: expected an input \(N, channels, height, width\) whose"):
        export_onnx(net, dynamic_size=True)


def test_every_type_is_known_to_fit_any_size_or_not() -> None:
    assert set(OPEN_SIZE) | OF_ONE_SIZE == set(EXPORTERS)
    assert not set(OPEN_SIZE) & OF_ONE_SIZE

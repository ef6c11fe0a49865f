from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from caffe_compat.convert.formats.caffemodel import read_caffemodel
from caffe_compat.convert.forms.deploy_form import deploy_form, is_training_only
from caffe_compat.convert.model import Model, assemble
from caffe_compat.convert.onnx.check import compare_with_onnxruntime, difference
from caffe_compat.convert.onnx.export import export_onnx, needed_steps, onnx_bytes
from caffe_compat.errors import FormatError, GraphError, MissingFeatureError, ShapeError
from caffe_compat.graph.builder import filter_net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_net
from tests.convert.models import GOLDENS, RELEASED, STAGES
from tests.convert.onnx.cases import check, net_of, theirs

RECORDS = sorted(path for path in GOLDENS.glob("*/layers/*/TEST") if (path / "net.prototxt").exists())
TEXT = """
layer { name: "ip" type: "InnerProduct" bottom: "a" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }
layer { name: "drop" type: "Dropout" bottom: "ip" top: "ip" }
layer { name: "side" type: "TanH" bottom: "a" top: "side" }
"""


def recorded(folder: Path, record: dict[str, np.ndarray]) -> Model:
    """A record's net without losses, for the recorded inputs."""
    net = filter_net(read_net(folder / "net.prototxt"), caffe_pb2.NetState(phase="TEST"))
    layers = [layer for layer in net.layer if not is_training_only(layer)]
    for layer in layers:
        if layer.type == "Input":
            layer.ClearField("input_param")
            for top in layer.top:
                layer.input_param.shape.add(dim=record[f"in/{top}"].shape)
    names = {layer.name for layer in layers}
    weights = folder / "weights.caffemodel"
    blobs = read_caffemodel(str(weights)).blobs if weights.exists() else {}
    return Model(net, {}, "bvlc", str(folder)).with_layers(
        layers, {name: arrays for name, arrays in blobs.items() if name in names}
    )


@pytest.mark.parametrize("folder", RECORDS, ids=lambda path: f"{path.parts[-4]}-{path.parts[-2]}")
def test_what_real_caffe_recorded(folder: Path, tmp_path: Path) -> None:
    record = dict(np.load(folder / "blobs.npz"))
    net = assemble(recorded(folder, record))
    outputs = [name for name in net.outputs if name not in net.inputs]
    if not outputs:
        pytest.skip("nothing but losses and measures")
    (tmp_path / "n.onnx").write_bytes(onnx_bytes("n.onnx", export_onnx(net, outputs)))
    got = theirs(tmp_path / "n.onnx", {key[3:]: value for key, value in record.items() if key.startswith("in/")})

    last = {key.split("/", 3)[3]: value for key, value in record.items() if key.startswith("fwd/")}
    for name in outputs:
        wanted = last[name]
        error = np.abs(got[name].reshape(wanted.shape) - wanted).max() / max(1e-2, np.abs(wanted).max())
        assert error <= 3e-5, name


def test_names_are_those_of_blobs_and_an_in_place_layer_s_says_the_layer() -> None:
    model = export_onnx(net_of(TEXT, (2, 4)))
    graph = model.graph

    assert [one.name for one in graph.input] == ["a"]
    assert [one.name for one in graph.output] == ["ip", "side"]
    assert [(node.op_type, node.output[0]) for node in graph.node] == [
        ("Gemm", "ip@ip"),
        ("Relu", "ip@relu"),
        ("Identity", "ip"),
        ("Tanh", "side"),
    ]
    assert [one.name for one in graph.initializer] == ["ip.weight", "ip.bias"]
    assert (model.opset_import[0].version, model.producer_name) == (18, "caffe_compat")


def test_an_input_that_is_written_in_place(tmp_path: Path) -> None:
    net = net_of('layer { name: "r" type: "ReLU" bottom: "a" top: "a" }', (2, 3))
    model = export_onnx(net)
    assert [one.name for one in model.graph.output] == ["a@r"]
    agreement = compare_with_onnxruntime("net.onnx", model.SerializeToString(), net)
    assert (agreement.output, agreement.error) == ("a", 0)


def test_only_what_an_output_needs_is_there() -> None:
    net = net_of(TEXT, (2, 4))
    assert [step.layer.name for step in needed_steps(net, ["side"])] == ["side"]
    assert [node.op_type for node in export_onnx(net, ["side"]).graph.node] == ["Tanh"]


def test_shared_weights_are_stored_once() -> None:
    ip = 'layer { name: "%s" type: "InnerProduct" bottom: "a" top: "%s" param { name: "w" } param { name: "b" } '
    ip += "inner_product_param { num_output: 3 } }"
    assert len(export_onnx(net_of(ip % ("x", "x") + ip % ("y", "y"), (2, 4))).graph.initializer) == 2


@pytest.mark.parametrize(
    "path", [pytest.param(RELEASED, marks=pytest.mark.slow), str(STAGES / "step_4" / "init.caffemodel")]
)
def test_whole_nets_agree_with_onnxruntime(path: str) -> None:
    net = assemble(deploy_form(read_caffemodel(path)))
    data = onnx_bytes("net.onnx", export_onnx(net, dynamic=True))

    assert compare_with_onnxruntime("net.onnx", data, net).error < 3e-4
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape[0] == "N"


def test_a_wrong_model_is_noticed() -> None:
    net = net_of(TEXT, (2, 4))
    model = export_onnx(net)
    model.graph.node[0].attribute[0].i = 1
    model.graph.node[-1].op_type = "Sin"
    with pytest.raises(
        FormatError, match=r"net\.onnx: onnxruntime's 'side' differs from ours by .* of its largest value"
    ):
        compare_with_onnxruntime("net.onnx", onnx_bytes("net.onnx", model), net)


def test_a_model_that_onnxruntime_cannot_run_is_noticed() -> None:
    net = net_of(TEXT, (2, 4))
    with pytest.raises(
        FormatError, match=r"net\.onnx: onnxruntime does not run the model: .*; --no-check writes it all"
    ):
        compare_with_onnxruntime("net.onnx", b"nothing", net)


def test_a_model_against_the_rules_is_refused() -> None:
    model = export_onnx(net_of(TEXT, (2, 4)))
    model.graph.node[0].op_type = "Gemmm"
    with pytest.raises(FormatError, match=r"net\.onnx: ONNX's checker refuses the model: "):
        onnx_bytes("net.onnx", model)


def test_a_blob_may_be_called_as_a_weight_or_an_operation_is(tmp_path: Path) -> None:
    ip = 'layer { name: "%s" type: "InnerProduct" bottom: "%s" top: "%s" inner_product_param { num_output: 4 } }'
    text = ip % ("x", "a", "x.weight") + ip % ("constant_0", "x.weight", "x.bias") + ip % ("y", "x.bias", "y/Gemm_0")
    for kind in ("ReLU", "TanH"):  # two layers of one name
        text += f'layer {{ name: "r" type: "{kind}" bottom: "y/Gemm_0" top: "y/Gemm_0" }}'
    text += 'layer { name: "z" type: "Sigmoid" bottom: "y/Gemm_0" top: "y/Gemm_0@r" }'
    check(net_of(text, (2, 4)), tmp_path)


def test_differences() -> None:
    nan = np.array([1.0, np.nan])
    assert difference(nan, nan) == 0
    assert difference(nan, np.ones(2)) == difference(np.ones(2), np.ones(3)) == float("inf")
    assert difference(np.full(2, np.nan), np.full(2, np.nan)) == 0
    assert difference(np.array([4.0, 2.0]), np.array([4.0, 3.0])) == 0.25


def test_an_unknown_output_is_refused() -> None:
    with pytest.raises(GraphError, match=r"^net\.caffemodel: no blob 'prob' to give out; outputs: ip, side; any other"):
        export_onnx(net_of(TEXT, (2, 4)), ["prob"])


def test_a_type_that_onnx_has_no_words_for_is_refused() -> None:
    text = TEXT + 'layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "b" top: "loss" }'
    net = net_of(text, (2, 4), (2, 3))
    message = (
        r"^layer 'loss' \(EuclideanLoss\): ONNX has no words for this type; take outputs before this layer \(--outputs "
        r"ip b; of load, outputs=\['ip', 'b'\]\)$"
    )
    with pytest.raises(MissingFeatureError, match=message):
        export_onnx(net)
    onnx.checker.check_model(export_onnx(net, ["ip"]))  # raises for a model that is not valid


def test_sampling_dropout_is_refused() -> None:
    text = 'layer { name: "d" type: "Dropout" bottom: "a" top: "d" dropout_param { sample_weights_test: true } }'
    with pytest.raises(MissingFeatureError, match=r"^layer 'd' \(Dropout\): sample_weights_test drops at random; take"):
        export_onnx(net_of(text, (2, 3)))


def test_more_axes_than_runtimes_know_are_refused() -> None:
    text = 'layer { name: "c" type: "Convolution" bottom: "a" top: "c" '
    text += "convolution_param { num_output: 1 kernel_size: 1 } }"
    with pytest.raises(
        MissingFeatureError, match=r"^layer 'c' \(Convolution\): ONNX runtimes slide over at most 3 spatial"
    ):
        export_onnx(net_of(text, (1, 2, 3, 4, 5, 6)))


OPEN = {
    "Reshape": "reshape_param { shape { dim: 4 dim: -1 } }",
    "Permute": "permute_param { order: 1 }",
    "Reduction": "",
}


@pytest.mark.parametrize("kind", OPEN)
def test_a_batch_that_does_not_go_through_cannot_stay_open(kind: str) -> None:
    net = net_of(f'layer {{ name: "l" type: "{kind}" bottom: "a" top: "l" {OPEN[kind]} }}', (2, 6, 3, 4))
    with pytest.raises(
        ShapeError, match=rf"^net\.caffemodel: layer 'l' \({kind}\): its tops .* do not grow with the batch"
    ):
        export_onnx(net, dynamic=True)


def test_priors_are_the_same_for_any_batch(tmp_path: Path) -> None:
    text = "".join(
        f'layer {{ name: "{name}" type: "PriorBox" bottom: "a" bottom: "b" top: "{name}" '
        f"prior_box_param {{ min_size: {size} variance: 0.1 }} }}"
        for name, size in (("p", 3), ("q", 5))
    )
    text += 'layer { name: "all" type: "Concat" bottom: "p" bottom: "q" top: "all" concat_param { axis: 2 } }'
    text += 'layer { name: "t" type: "TanH" bottom: "a" top: "t" }'
    net = net_of(text, (1, 3, 4, 5), (1, 3, 8, 9))
    check(net, tmp_path, dynamic=True)

    outputs = {one.name: one.type.tensor_type.shape.dim[0] for one in export_onnx(net, dynamic=True).graph.output}
    assert (outputs["all"].dim_value, outputs["t"].dim_param) == (1, "N")


def test_weights_for_a_batch_cannot_stay_open() -> None:
    net = net_of('layer { name: "l" type: "Bias" bottom: "a" top: "l" bias_param { axis: 0 } }', (2, 3))
    with pytest.raises(
        ShapeError, match=r"^net\.caffemodel: layer 'l' \(Bias\): its tops .* do not grow with the batch"
    ):
        export_onnx(net, dynamic=True)


def test_inputs_of_several_batches_cannot_stay_open() -> None:
    text = 'layer { name: "l" type: "BatchReindex" bottom: "a" bottom: "b" top: "l" }'
    with pytest.raises(ShapeError, match=r"^net\.caffemodel: expected inputs of one batch size to leave open, got"):
        export_onnx(net_of(text, (2, 3), (3,)), dynamic=True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('type: "Slice" bottom: "a" top: "l" top: "m" slice_param { axis: 0 }', "it cuts the batch"),
        (
            'type: "BatchNorm" bottom: "a" top: "l" batch_norm_param { use_global_stats: false }',
            "it normalises by the statistics of the batch",
        ),
        (
            'type: "Upsample" bottom: "a" bottom: "b" top: "l" upsample_param { upsample_h: 6 upsample_w: 8 }',
            "ONNX scatters into zeros of a fixed shape",
        ),
    ],
)
def test_what_needs_the_batch_itself_cannot_have_it_open(text: str, why: str) -> None:
    net = net_of(f'layer {{ name: "l" {text} }}', (4, 2, 3, 4), (4, 2, 3, 4))
    with pytest.raises(MissingFeatureError, match=rf"^layer 'l' .*: {why}; export with a fixed batch"):
        export_onnx(net, dynamic=True)


def test_layers_over_time_cannot_have_the_batch_open() -> None:
    text = 'layer { name: "l" type: "LSTM" bottom: "a" bottom: "b" top: "l" recurrent_param { num_output: 2 } }'
    with pytest.raises(
        MissingFeatureError, match=r"^layer 'l' \(LSTM\): it is unrolled over time; export with a fixed"
    ):
        export_onnx(net_of(text, (2, 3, 4), (2, 3)), dynamic=True)


def test_the_grouped_convolution_of_f_sr(tmp_path: Path) -> None:
    """14x14 kernels over the whole map, four to a channel."""
    text = 'layer { name: "c" type: "Convolution" bottom: "a" top: "c" '
    text += "convolution_param { num_output: 32 kernel_h: 14 kernel_w: 14 group: 8 bias_term: false } }"
    check(net_of(text, (2, 8, 14, 14)), tmp_path, dynamic=True)


def test_a_threshold_that_adapts_has_no_words_in_onnx() -> None:
    text = 'layer { name: "l" type: "DetectionOutput" bottom: "a" bottom: "b" bottom: "c" top: "l" '
    text += "detection_output_param { num_classes: 3 nms_param { eta: 0.9 } } }"
    with pytest.raises(
        MissingFeatureError, match=r"^layer 'l' \(DetectionOutput\): ONNX suppresses overlaps by one fixed .* a b c"
    ):
        export_onnx(net_of(text, (1, 24), (1, 18), (1, 2, 24)))

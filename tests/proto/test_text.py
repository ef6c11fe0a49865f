import pytest
from google.protobuf import text_format
from google.protobuf.message import Message

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.text import format_text, parse_text
from caffe_compat.proto.upgrade import upgrade_net

NET, SOLVER = caffe_pb2.NetParameter, caffe_pb2.SolverParameter


def test_accepts_what_caffes_users_write() -> None:
    net = parse_text(
        """
        # a comment
        name: 'n'  # and another
        layer: { name: "conv" type: "Convolution"
          convolution_param { kernel_size: [3, 5] weight_filler: { type: "msra" } pad: 1, }
          param { lr_mult: .1 } param { lr_mult: 2. decay_mult: 0 } phase: 1 }
        state: < stage: "a" >
        """,
        NET,
    )
    layer = net.layer[0]
    assert list(layer.convolution_param.kernel_size) == [3, 5]
    assert layer.convolution_param.weight_filler.type == "msra"
    assert [param.lr_mult for param in layer.param] == [pytest.approx(0.1), 2]
    assert layer.phase == caffe_pb2.TEST
    assert list(net.state.stage) == ["a"]


@pytest.mark.parametrize(
    ("text", "message_type", "message"),
    [
        (
            'layer {\n  typ: "ReLU"\n}',
            NET,
            "^f:2:3: layer number 1: LayerParameter has no field 'typ'; did you mean 'type'.; the line is 'typ: ",
        ),
        (
            "layer { num_output: 4 }",
            NET,
            r"LayerParameter has no field 'num_output'; it belongs into convolution_param or",
        ),
        (
            "layer { batch_norm_param { slope_filler { } } }",
            NET,
            r"BatchNormParameter has no field 'slope_filler'; it belongs into bn_param \(the SRN fork only\)",
        ),
        (
            "layer { bn_param { slopes_filler { } } }",
            NET,
            "BNParameter has no field 'slopes_filler'; did you mean 'slope_f",
        ),
        (
            "layer { wibble_wobble { } }",
            NET,
            "^f:1:9: layer number 1: LayerParameter has no field 'wibble_wobble'; neither BVLC Caffe nor the SRN fork "
            "has it: take it out if it changes no result, else exchange the layer for one of docs/layers.md or for a P",
        ),
        ("wibble_wobble: 3", SOLVER, "^f:1:1: SolverParameter .* take it out if it changes no result; the line"),
        (
            "layer { name: 'a' } layer { name: 'r' type: 'Regions' region_param { stride: 2 } }",
            NET,
            r"^f:1:55: layer 'r' \(Regions\): LayerParameter has no field 'region_param', a field of the YOLO p",
        ),
        (
            "layer { name: 'b' batch_norm_param { relu: true } }",
            NET,
            "^f:1:38: layer 'b': BatchNormParameter has no field 'relu', a field of Intel's Caffe: take it out",
        ),
        (
            "layers { type: DATA name: 'd' transform_param { min_side: 3 } }",
            NET,
            r"^f:1:49: layer 'd' \(DATA\): TransformationParameter has no field 'min_side', a field of twtyg",
        ),
        (
            "layer { name: 'u' type: 'Upsample' upsample_param { height_scale: 2 } }",
            NET,
            r"^f:1:53: layer 'u' \(Upsample\): .* 'height_scale', a field of Wulingtian/yolov5_caffe: take it out",
        ),
        ("layer { name: 'a' } larc: true", NET, "^f:1:21: NetParameter has no field 'larc', a field of NVIDIA's Caffe"),
        ("plateau_winsize: 3", SOLVER, "SolverParameter has no field 'plateau_winsize', a field of SSD: take it out"),
        ("layer { pool_param { } }", NET, "has no field 'pool_param'; did you mean 'pooling_param'"),
        ("layer { octopus_param { } }", NET, "has no field 'octopus_param'; neither BVLC"),
        ("base_lr: 0.1", NET, "^f:1:1: NetParameter has no field 'base_lr'; this seems to be a solver, not a net"),
        ("layer { }", SOLVER, "^f:1:1: SolverParameter has no field 'layer'; this seems to be a net, not a solver"),
        (
            "layer { name: 'p' pooling_param { pool: AVG } }",
            NET,
            "^f:1:41: layer 'p': PoolingParameter.PoolMethod has no value AVG; did you mean AVE",
        ),
        ("solver_mode: QUANTUM", SOLVER, "SolverParameter.SolverMode has no value QUANTUM; it has CPU, GPU"),
        (
            'layer { phase: "TEST" }',
            NET,
            "^f:1:16: layer number 1: TEST is a name, not a string: write it without quotes",
        ),
        (
            'name: "a" name: "b"',
            NET,
            '^f:1:17: Message type "NetParameter" should not have multiple "name" fields; the',
        ),
        ('layer { name: "a"', NET, '^f:1:15: Expected "}"; the line is \'layer { name: "a"\''),
        ("base_lr: fast", SOLVER, "^f:1:10: Couldn't parse float: fast"),
        ("layer { clip_param { min: 0 } }", NET, r"^f: layer\[0\].clip_param.max must be set, as Caffe requires it"),
    ],
)
def test_an_error_names_the_cure(text: str, message_type: type[Message], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse_text(text, message_type, "f")


OTHER_CAFFES = """
default_forward_type: FLOAT16
default_conv_algos_override: "1, 1, 0"
layer { name: "a" type: "Convolution" forward_type: FLOAT16
  convolution_param { num_output: 3 engine: MKLDNN conv_algorithm: "direct"
    weight_filler { type: "constant" value: - 0.5 } } }
layer { name: "b" type: "ReLU" engine: "MKL2017" relu_param { engine: MLU } }
layer { name: "c" type: "RegionLoss" bottom: "b" region_loss_param { stride: 2 inner { deep: [1, -2] } } top: "c" }
"""


def test_words_of_other_caffes_are_left_out_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING"):
        net = parse_text(OTHER_CAFFES, NET, "f")
    expected = parse_text(
        "layer { name: 'a' type: 'Convolution' convolution_param { num_output: 3 weight_filler "
        "{ type: 'constant' value: -0.5 } } } layer { name: 'b' type: 'ReLU' relu_param { } } "
        "layer { name: 'c' type: 'RegionLoss' bottom: 'b' top: 'c' }",
        NET,
    )
    assert net == expected
    assert [record.getMessage() for record in caplog.records] == [
        "f: left out, as no prediction needs it: default_forward_type (of NVIDIA's Caffe), default_conv_algos_override "
        "(of NVIDIA's Caffe), forward_type (of NVIDIA's Caffe), engine: MKLDNN (of other Caffes), conv_algorithm "
        "(of Intel's Caffe), engine (of Intel's Caffe), engine: MLU (of other Caffes), region_loss_param (of the YOLO "
        "ports, whose RegionLoss cannot run here)"
    ]


def test_a_message_that_another_caffe_repeats(caplog: pytest.LogCaptureFixture) -> None:
    text = "layer { name: 'd' transform_param { resize_param { height: 3 } resize_param { height: 4 } mirror: true } } "
    with caplog.at_level("WARNING"):
        net = parse_text(text + "layer { transform_param { resize_param { width: 5 } } }", NET, "f")
    assert [layer.transform_param.resize_param.height for layer in net.layer] == [3, 0]
    assert net.layer[0].transform_param.mirror
    assert [record.getMessage() for record in caplog.records] == [
        "f: left out, as no prediction needs it: resize_param (of MobileNet-YOLO)"
    ]


def test_a_word_at_the_value_at_which_it_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    text = "layer { name: 'c' type: 'Convolution' convolution_param { relu: false negative_slope: 0.0 num_output: 3 } }"
    with caplog.at_level("WARNING"):
        net = parse_text(text, NET, "f")
    assert net.layer[0].convolution_param.num_output == 3
    assert [record.getMessage() for record in caplog.records] == [
        "f: left out, as no prediction needs it: relu (not used at false, of Intel's Caffe), negative_slope (not used "
        "at 0.0, of Intel's Caffe)"
    ]
    with pytest.raises(FormatError, match=r"ConvolutionParameter has no field 'negative_slope', a field of Intel's"):
        parse_text(text.replace("0.0", "-0.5"), NET, "f")


def test_a_word_of_many_layers_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING"):
        parse_text("layer { forward_math: FLOAT } " * 3, NET, "f")
    (record,) = caplog.records
    assert record.getMessage().endswith("forward_math (of NVIDIA's Caffe; 3 times)")


def test_solvers_leave_out_what_changes_no_training(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING"):
        solver = parse_text("base_lr: 0.5\nsolver_data_type: FLOAT16\nsolver_mode: MLU\ngroup_id: 3", SOLVER, "f")
    assert solver == SOLVER(base_lr=0.5)
    assert len(caplog.records) == 1


def test_all_problems_are_listed_at_once() -> None:
    text = """name: "n"
layer { name: "a" type: "Convolution" convolution_param { rate: 2 } }
layer { name: "b" type: "Pooling" pooling_param { pool: SORT } }
layer { name: "c" type: "Convolution" convolution_param { rate: 3 } }
larc: true
"""
    with pytest.raises(FormatError) as caught:
        parse_text(text, NET, "f")
    assert [line.split(";")[0] for line in str(caught.value).split("\n")] == [
        "f:2:59: layer 'a' (Convolution) (and 1 more): ConvolutionParameter has no field 'rate'",
        "f:3:57: layer 'b' (Pooling): PoolingParameter.PoolMethod has no value SORT",
        "f:5:1: NetParameter has no field 'larc', a field of NVIDIA's Caffe: take it out if it changes no result",
    ]


def test_a_list_of_problems_ends_somewhere() -> None:
    with pytest.raises(FormatError, match=r"\nf: and 1\d more words like these: wibble_\d, .* \.\.\. \(1\d in all\)$"):
        parse_text("\n".join(f"wibble_{number}: 1" for number in range(15)), NET, "f")


def test_long_lines_and_bytes_are_shortened() -> None:
    with pytest.raises(FormatError) as caught:
        parse_text(f'wibble_wobble: "{"x" * 5000}\x07"', NET, "f")
    assert len(str(caught.value)) < 400
    with pytest.raises(FormatError) as caught:
        parse_text(f"name: {'9' * 5000}\x07", NET, "f")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "text",
    [
        f"layer {{ name: '{'n' * 5000}' type: '{'t' * 5000}' {'w' * 5000}: 1 }}",
        f"layer {{ pooling_param {{ pool: {'P' * 5000} }} }}",
        "layer { clip_param { } } " * 500,
    ],
)
def test_long_names_are_shortened(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_text(text, NET, "f")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("depth", [50, 100_000])
def test_deep_nesting_is_an_error_of_ours(depth: int) -> None:
    with pytest.raises(FormatError, match=r"^f:1:1: NetParameter has no field 'wibble'"):
        parse_text("wibble { " * depth, NET, "f")
    with pytest.raises(FormatError, match=r"^f:1:\d+: "):
        parse_text("layer { name: [" + "[" * depth, NET, "f")


@pytest.mark.parametrize(
    ("word", "type_"), [("CROP", "Crop"), ("ROI_POOLING", "ROIPooling"), ("SEG_ACCURACY", "SegAccuracy"), ("X", "X")]
)
def test_types_of_v1_that_bvlc_has_not(word: str, type_: str) -> None:
    net = parse_text(f"layers {{ name: 'a' type: {word} bottom: 'b' crop_param {{ axis: 3 }} }}", NET)
    upgrade_net(net)
    assert net == parse_text(f"layer {{ name: 'a' type: '{type_}' bottom: 'b' crop_param {{ axis: 3 }} }}", NET)


def test_form_that_users_write() -> None:
    net = caffe_pb2.NetParameter(name="n")
    net.mem_param.optimize_train = False
    layer = net.layer.add(name="conv", type="Convolution", bottom=["a"], top=["b"])
    layer.include.add(phase=caffe_pb2.TEST, stage=["x"])
    layer.param.add(lr_mult=1, decay_mult=0.1)
    layer.convolution_param.kernel_size.extend([3, 5])
    layer.convolution_param.weight_filler.std = 1e-5
    layer.relu_param.SetInParent()
    assert format_text(net) == (
        'name: "n"\nmem_param {\n  optimize_train: false\n}\n'
        'layer {\n  name: "conv"\n  type: "Convolution"\n  bottom: "a"\n  top: "b"\n'
        '  include {\n    phase: TEST\n    stage: "x"\n  }\n'
        "  param {\n    lr_mult: 1\n    decay_mult: 0.1\n  }\n"
        "  convolution_param {\n    kernel_size: 3\n    kernel_size: 5\n"
        "    weight_filler {\n      std: 1e-05\n    }\n  }\n"
        "  relu_param {\n  }\n}\n"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1, "0.1"),
        (1, "1"),
        (-2.5, "-2.5"),
        (1 / 3, "0.33333334"),
        (0.00390625, "0.00390625"),
        (1e-9, "1e-09"),
        (3e10, "3e+10"),
        (0.0001, "0.0001"),
        (16777216, "16777216"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_floats_are_as_short_as_float32_allows(value: float, shown: str) -> None:
    solver = caffe_pb2.SolverParameter(base_lr=value)
    assert format_text(solver) == f"base_lr: {shown}\n"
    assert format_text(parse_text(format_text(solver), caffe_pb2.SolverParameter)) == f"base_lr: {shown}\n"


def test_other_scalars() -> None:
    blob = caffe_pb2.BlobProto(double_data=[0.1, 2, 1 / 3])
    assert format_text(blob) == "double_data: 0.1\ndouble_data: 2\ndouble_data: 0.3333333333333333\n"
    assert format_text(caffe_pb2.Datum(data=b"\xff\0a", label=-1)) == 'data: "\\377\\000a"\nlabel: -1\n'


@pytest.mark.parametrize("name", ['quote " and \\ and \n line', "Grüße 猫", "tab\t"])
def test_strings_there_and_back(name: str) -> None:
    net = caffe_pb2.NetParameter(name=name)
    assert parse_text(format_text(net), caffe_pb2.NetParameter) == net
    assert text_format.Parse(format_text(net), caffe_pb2.NetParameter()) == net


def test_solver_starts_with_its_net() -> None:
    solver = caffe_pb2.SolverParameter(net="n", base_lr=0.5, solver_mode=caffe_pb2.SolverParameter.CPU, momentum=0.9)
    assert format_text(solver) == 'net: "n"\nbase_lr: 0.5\nmomentum: 0.9\nsolver_mode: CPU\n'

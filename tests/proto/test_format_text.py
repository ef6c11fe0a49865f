import pytest
from google.protobuf import text_format

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.format_text import format_text
from caffe_compat.proto.parse_text import parse_text


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
def test_floats_are_as_short_as_float32_allows(value, shown) -> None:
    solver = caffe_pb2.SolverParameter(base_lr=value)
    assert format_text(solver) == f"base_lr: {shown}\n"
    assert format_text(parse_text(format_text(solver), caffe_pb2.SolverParameter)) == f"base_lr: {shown}\n"


def test_other_scalars() -> None:
    blob = caffe_pb2.BlobProto(double_data=[0.1, 2, 1 / 3])
    assert format_text(blob) == "double_data: 0.1\ndouble_data: 2\ndouble_data: 0.3333333333333333\n"
    assert format_text(caffe_pb2.Datum(data=b"\xff\0a", label=-1)) == 'data: "\\377\\000a"\nlabel: -1\n'


@pytest.mark.parametrize("name", ['quote " and \\ and \n line', "Grüße 猫", "tab\t"])
def test_strings_there_and_back(name) -> None:
    net = caffe_pb2.NetParameter(name=name)
    assert parse_text(format_text(net), caffe_pb2.NetParameter) == net
    assert text_format.Parse(format_text(net), caffe_pb2.NetParameter()) == net


def test_solver_starts_with_its_net() -> None:
    solver = caffe_pb2.SolverParameter(net="n", base_lr=0.5, solver_mode=caffe_pb2.SolverParameter.CPU, momentum=0.9)
    assert format_text(solver) == 'net: "n"\nbase_lr: 0.5\nmomentum: 0.9\nsolver_mode: CPU\n'

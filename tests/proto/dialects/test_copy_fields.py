import pytest

from caffe_compat.errors import DialectError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from caffe_compat.proto.dialects.copy_fields import copy_fields
from caffe_compat.proto.text import parse_text


def layer(text: str) -> caffe_pb2.LayerParameter:
    return parse_text(f'name: "conv" type: "Convolution" {text}', caffe_pb2.LayerParameter)


def test_moved_numbers_go_by_name() -> None:
    theirs = srn_fork_pb2.LayerParameter(name="b", type="BN")
    theirs.bn_param.momentum = 0.5
    theirs.scale_param.axis = 2
    ours = copy_fields(theirs, caffe_pb2.LayerParameter, "own")
    assert (ours.bn_param.momentum, ours.scale_param.axis) == (0.5, 2)
    assert copy_fields(ours, srn_fork_pb2.LayerParameter, "srn_fork") == theirs


def test_same_schema_is_not_copied() -> None:
    net = caffe_pb2.NetParameter()
    assert copy_fields(net, caffe_pb2.NetParameter, "own") is net


def test_lists_of_equal_values_become_one_value_and_back() -> None:
    ours = layer("convolution_param { kernel_size: [3, 3] pad: 1 }")
    theirs = copy_fields(ours, srn_fork_pb2.LayerParameter, "srn_fork")
    assert (theirs.convolution_param.kernel_size, theirs.convolution_param.pad) == (3, 1)
    assert list(copy_fields(theirs, caffe_pb2.LayerParameter, "own").convolution_param.kernel_size) == [3]
    solver = copy_fields(caffe_pb2.SolverParameter(device_id=[2]), bvlc_pb2.SolverParameter, "bvlc")
    assert solver.device_id == 2


def test_empty_messages_and_enums_are_said() -> None:
    ours = layer("relu_param { } pooling_param { pool: STOCHASTIC }")
    theirs = copy_fields(ours, srn_fork_pb2.LayerParameter, "srn_fork")
    assert theirs.HasField("relu_param")
    assert theirs.pooling_param.pool == srn_fork_pb2.PoolingParameter.STOCHASTIC


def test_unknown_fields_at_their_default_are_left_out() -> None:
    ours = layer("pooling_param { round_mode: CEIL } inner_product_param { transpose: false }")
    theirs = copy_fields(ours, srn_fork_pb2.LayerParameter, "srn_fork")
    assert theirs.HasField("pooling_param")


@pytest.mark.parametrize(
    ("text", "target", "dialect", "message"),
    [
        (
            "convolution_param { kernel_size: [3, 5] }",
            srn_fork_pb2,
            "srn_fork",
            r"^layer 'conv' \(Convolution\): ConvolutionParameter.kernel_size may hold one value in the srn_fork "
            r"dialect, found \[3, 5\]",
        ),
        (
            "pooling_param { round_mode: FLOOR }",
            srn_fork_pb2,
            "srn_fork",
            r"^layer 'conv' \(Convolution\): the srn_fork dialect has no PoolingParameter.round_mode; leave the",
        ),
        (
            "reduction_param { operation: TOPK }",
            bvlc_pb2,
            "bvlc",
            r"^layer 'conv' \(Convolution\): ReductionParameter.operation cannot be TOPK in the bvlc dialect; it kn",
        ),
        ("bn_param { }", bvlc_pb2, "bvlc", r"^layer 'conv' .*: the bvlc dialect has no LayerParameter.bn_param"),
        ("permute_param { order: 1 }", bvlc_pb2, "bvlc", r"has no LayerParameter.permute_param; .* 'own'"),
    ],
)
def test_names_what_a_dialect_lacks(text, target, dialect, message) -> None:
    with pytest.raises(DialectError, match=message):
        copy_fields(layer(text), target.LayerParameter, dialect)


def test_names_v1_layers_by_their_type() -> None:
    net = caffe_pb2.NetParameter()
    net.layers.add(name="r", type="RELU").pooling_param.round_mode = caffe_pb2.PoolingParameter.FLOOR
    with pytest.raises(DialectError, match=r"^layer 'r' \(RELU\): "):
        copy_fields(net, srn_fork_pb2.NetParameter, "srn_fork")

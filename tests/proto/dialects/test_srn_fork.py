import pytest

from caffe_compat.errors import DialectError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects.srn_fork import in_words_of_srn_fork
from caffe_compat.proto.text import parse_text


def said(text: str) -> caffe_pb2.NetParameter:
    return in_words_of_srn_fork(net(text))


def net(text: str) -> caffe_pb2.NetParameter:
    return parse_text(text, caffe_pb2.NetParameter)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'layer { name: "i" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 3 } } }'
            'layer { name: "r" type: "ReLU" }',
            'input: ["a", "b"] input_shape { dim: 2 dim: 3 } input_shape { dim: 2 dim: 3 }'
            'layer { name: "r" type: "ReLU" }',
        ),
        ('input: "data" layer { name: "r" type: "ReLU" }', 'input: "data" layer { name: "r" type: "ReLU" }'),
        ('layer { name: "i" type: "Input" top: "a" }', 'input: "a"'),
        (
            "layer { convolution_param { kernel_size: [3, 5] pad: [1, 2] stride: [2, 2] dilation: [1, 1] } }",
            "layer { convolution_param { kernel_h: 3 kernel_w: 5 pad_h: 1 pad_w: 2 stride: [2, 2] } }",
        ),
        (
            "layer { convolution_param { kernel_size: 3 dilation: 2 } }",
            "layer { convolution_param { kernel_size: 3 dilation: 2 } }",
        ),
        (
            'layer { type: "SoftmaxWithLoss" loss_param { normalization: VALID ignore_label: 4 } }',
            'layer { type: "SoftmaxWithLoss" loss_param { normalize: true ignore_label: 4 } }',
        ),
        (
            'layer { type: "SoftmaxWithLoss" loss_param { normalization: BATCH_SIZE } }',
            'layer { type: "SoftmaxWithLoss" loss_param { normalize: false } }',
        ),
        (
            'layer { type: "SigmoidCrossEntropyLoss" loss_param { normalization: BATCH_SIZE } }',
            'layer { type: "SigmoidCrossEntropyLoss" loss_param { } }',
        ),
    ],
)
def test_says_it_in_the_forks_words(text: str, expected: str) -> None:
    assert said(text) == net(expected)


def test_leaves_the_net_as_it_is() -> None:
    before = net('layer { type: "Input" top: "a" } layer { convolution_param { kernel_size: [3, 5] } }')
    after = caffe_pb2.NetParameter()
    after.CopyFrom(before)
    in_words_of_srn_fork(after)
    assert after == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'layer { name: "i" type: "Input" top: "a" include { phase: TEST } }',
            r"^layer 'i' \(Input\): the srn_fork dialect names inputs in fields of the net, which take no include",
        ),
        (
            'name: "n" layer { type: "Input" top: "a" } '
            'layer { type: "Input" top: "b" input_param { shape { dim: 1 } } }',
            r"^net 'n': the srn_fork dialect needs a shape for each of the inputs \['a', 'b'\] or for none, found 1",
        ),
        (
            'layer { name: "l" type: "SoftmaxWithLoss" loss_param { normalization: FULL } }',
            r"^layer 'l' \(SoftmaxWithLoss\): .* cannot normalise by FULL; it knows VALID, BATCH_SIZE",
        ),
        (
            'layer { name: "l" type: "HingeLoss" loss_param { normalization: VALID } }',
            r"^layer 'l' \(HingeLoss\): .* by VALID; it knows no normalization for this type",
        ),
    ],
)
def test_refuses_what_would_mean_something_else(text: str, message: str) -> None:
    with pytest.raises(DialectError, match=message):
        said(text)

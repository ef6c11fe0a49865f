"""DepthwiseConvolution, under both its names, against Convolution."""

import pytest

from caffe_compat.errors import FieldError
from tests.layers.harness import assert_close, assert_every_field_matters, build, check_layer, random_bottom, run

FIELDS = "kernel_size: 3 weight_filler { type: 'gaussian' std: 0.5 } bias_filler { type: 'constant' value: 2 }"


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        ("DepthwiseConvolution", ""),
        ("DepthwiseConvolution", "num_output: 8"),
        ("DepthwiseConvolution", "num_output: 4 group: 4 stride: 2 pad_h: 1 pad_w: 2 dilation: 2"),
        ("ConvolutionDepthwise", ""),
        ("ConvolutionDepthwise", "num_output: 4 stride_h: 2 stride_w: 1 pad: 2 dilation: 2"),
    ],
)
def test_is_a_convolution_with_a_group_a_channel(kind: str, outputs: str) -> None:
    bottom = random_bottom(2, 4, 5, 6)
    layer = check_layer(f"type: '{kind}' convolution_param {{ {outputs} {FIELDS} }}", [bottom])
    count = outputs if "num_output" in outputs else "num_output: 4"
    group = "" if "group" in outputs else "group: 4"
    same = f"type: 'Convolution' convolution_param {{ {count} {group} {FIELDS} }}"
    plain = build(same, bottom, blobs=[blob.detach() for blob in layer.blobs])
    assert_close(run(layer, bottom)[0], run(plain, bottom)[0])


def test_refuses_another_group() -> None:
    with pytest.raises(FieldError, match=r"^layer 'dw' .* expected group 4 \(one a channel\) or none, got 2"):
        build(f"name: 'dw' type: 'DepthwiseConvolution' convolution_param {{ group: 2 {FIELDS} }}", (1, 4, 5, 6))


def test_refuses_outputs_that_sp2823s_layer_would_not_make() -> None:
    message = r"^layer 'dw' .* expected num_output 4 \(one a channel\) or none, got 8; DepthwiseConvolution has more"
    with pytest.raises(FieldError, match=message):
        build(f"name: 'dw' type: 'ConvolutionDepthwise' convolution_param {{ num_output: 8 {FIELDS} }}", (1, 4, 5, 6))


@pytest.mark.parametrize("kind", ["DepthwiseConvolution", "ConvolutionDepthwise"])
def test_every_field_matters(kind: str) -> None:
    fillers = "weight_filler { type: 'gaussian' std: 0.5 }"
    for fields in (
        f"kernel_h: 2 kernel_w: 3 stride: 2 pad: 1 dilation: 2 {fillers} bias_filler {{ value: 2 }}",
        f"kernel_size: 2 stride_h: 2 stride_w: 3 pad_h: 1 pad_w: 2 bias_term: false {fillers}",
    ):
        assert_every_field_matters(f"type: '{kind}' convolution_param {{ {fields} }}", random_bottom(2, 4, 7, 9))

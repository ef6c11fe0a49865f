"""What a layer reads: Params, which remembers what was read; Arity; LayerSpec."""

import pytest

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.spec import Arity, Params, at_least, between, exactly
from tests.layers.harness import layer_parameter


def params(fields: str) -> Params:
    return Params("convolution_param", layer_parameter(f"convolution_param {{ {fields} }}").convolution_param)


def test_values_and_defaults() -> None:
    reader = params("num_output: 3 kernel_size: 5 kernel_size: 7 engine: CUDNN weight_filler { type: 'xavier' }")
    assert reader.num_output == 3
    assert reader.kernel_size == [5, 7]
    assert reader.group == 1
    assert reader.stride == []
    assert reader.engine == "CUDNN"
    assert reader.weight_filler.type == "xavier"


def test_presence_is_not_the_value() -> None:
    reader = params("num_output: 0 pad: 0")
    assert reader.has("num_output")
    assert reader.has("pad")
    assert not reader.has("group")
    assert not reader.has("stride")


def test_unread_fields() -> None:
    reader = params("num_output: 3 group: 2 engine: CAFFE axis: 1")
    assert reader.num_output == 3
    reader.has("axis")
    reader.ignore("engine")
    assert reader.unread() == ["convolution_param.group"]
    assert reader.honoured() == {"convolution_param.num_output", "convolution_param.axis"}
    assert reader.ignored() == {"convolution_param.engine"}


def test_nested_messages_remember_too() -> None:
    reader = params("weight_filler { type: 'gaussian' std: 2 }")
    filler = reader.nested("weight_filler")
    assert filler.type == "gaussian"
    assert reader.nested("weight_filler") is filler
    assert reader.unread() == ["convolution_param.weight_filler.std"]
    assert "convolution_param.weight_filler.type" in reader.honoured()


def test_a_field_that_no_schema_has() -> None:
    with pytest.raises(AttributeError, match=r"^convolution_param has no field 'kernel'"):
        _ = params("").kernel


@pytest.mark.parametrize(
    ("arity", "allowed", "text"),
    [
        (exactly(2), [2], "exactly 2"),
        (at_least(3), [3, 4, 5], "at least 3"),
        (between(1, 3), [1, 2, 3], "1 to 3"),
        (Arity(2, None, step=2), [2, 4], "at least 2"),
    ],
)
def test_arity(arity: Arity, allowed: list[int], text: str) -> None:
    assert [count for count in range(6) if arity.allows(count)] == allowed
    assert str(arity) == text


def test_spec_names_what_no_one_read() -> None:
    spec = LayerSpec(
        layer_parameter("name: 'p' type: 'Pooling' pooling_param { kernel_size: 2 pad: 1 } lrn_param { k: 2 }")
    )
    assert str(spec) == "layer 'p' (Pooling)"
    assert spec.params("pooling_param").kernel_size == 2
    assert spec.unread_messages() == ["lrn_param"]
    with pytest.raises(
        FieldError, match=r"^layer 'p' \(Pooling\): pooling_param.pad is set but Pooling does not honour"
    ):
        spec.reject_unread_fields()


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("power_param { shift: nan }", "power_param.shift"),
        ("eltwise_param { coeff: 1 coeff: nan }", "eltwise_param.coeff"),
    ],
)
def test_a_field_that_is_no_number_is_refused(text: str, field: str) -> None:
    message, _, _ = field.partition(".")
    with pytest.raises(FieldError, match=rf"^layer 'layer' \(Power\): expected a number in {field}, got nan$"):
        LayerSpec(layer_parameter(f"type: 'Power' {text}")).params(message)

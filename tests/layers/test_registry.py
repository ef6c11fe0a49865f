"""The registry: finding classes, and refusing prototxts before a layer is built."""

import logging

import pytest
from torch import Tensor

from caffe_compat.errors import FieldError, GraphError, UnknownLayerError
from caffe_compat.layers import registry
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.registry import create_layer, layer_types, register_layer, require_types
from caffe_compat.proto.foreign.types import V1_WORDS, foreign_type
from tests.layers.harness import layer_parameter


def create(text: str, bottoms: int = 1, tops: int = 1) -> Layer:
    return create_layer(LayerSpec(layer_parameter(text, bottoms, tops)))


def test_types_are_sorted_and_belong_to_one_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_LAYERS", registry._LAYERS.copy())

    @register_layer("Zero", "Nought")
    class Zero(Layer):
        """Multiplies by 0."""

        def forward(self, bottom: Tensor) -> Tensor:
            return bottom * 0

    assert isinstance(create("type: 'Nought'"), Zero)
    assert layer_types() == sorted(layer_types())
    assert {"Zero", "Nought"} < set(layer_types())
    with pytest.raises(GraphError, match=r"^layer type 'Zero' is registered already, by Zero"):
        register_layer("Zero")(Zero)


def test_unknown_types_name_their_neighbour() -> None:
    with pytest.raises(
        UnknownLayerError, match=r"^layer 'p' \(Poling\): no layer of this type; did you mean 'Pooling'"
    ):
        create("name: 'p' type: 'Poling'")
    message = (
        r"^layer 'p' \(Xyzzy\): no layer of this type \(docs/layers.md has all\); write it as a Python layer of your "
        r"own$"
    )
    with pytest.raises(UnknownLayerError, match=message):
        create("name: 'p' type: 'Xyzzy'")


@pytest.mark.parametrize(
    ("unknown", "nearest"), [("relu", "ReLU"), ("RELU", "ReLU"), ("SOFTMAX_LOSS", "SoftmaxWithLoss"), ("TANH", "TanH")]
)
def test_unknown_types_in_another_spelling(unknown: str, nearest: str) -> None:
    with pytest.raises(UnknownLayerError, match=rf"^layer 'p' \({unknown}\): .*; did you mean '{nearest}'\?"):
        create(f"name: 'p' type: '{unknown}'")


def test_all_unknown_types_of_a_net_are_listed_at_once() -> None:
    names = {"a": "Mish", "b": "ReLU", "c": "Yolov3", "d": "Mish"}
    specs = [LayerSpec(layer_parameter(f"name: '{name}' type: '{kind}'", 1)) for name, kind in names.items()]
    with pytest.raises(UnknownLayerError) as caught:
        require_types(specs)
    first, second = str(caught.value).split("\n")
    assert first.startswith("layer 'a' (Mish) (and 1 more): no layer of this type, which the YOLO v4 ports added; ")
    assert second.startswith("layer 'c' (Yolov3): no layer of this type, which the YOLO ports added; ")
    require_types(specs[1:2])


def test_types_of_other_caffes_say_whose_they_are_and_what_to_do() -> None:
    message = (
        r"^layer 'm' \(Mish\): no layer of this type, which the YOLO v4 ports added; x tanh\(log\(1 \+ e\^x\)\) is BNLL"
    )
    with pytest.raises(UnknownLayerError, match=message):
        create("name: 'm' type: 'Mish'")


def test_types_of_other_caffes_are_not_ours() -> None:
    assert not [name for name in layer_types() if foreign_type(name)]
    assert set(V1_WORDS.values()) <= set(layer_types())


@pytest.mark.parametrize(
    ("kind", "bottoms", "tops", "message"),
    [
        ("Dropout", 2, 1, "expected exactly 1 bottoms, got 2"),
        ("Crop", 2, 2, "expected exactly 1 tops, got 2"),
        ("Convolution", 0, 1, "expected at least 1 bottoms, got 0"),
        ("Pooling", 1, 3, "expected 1 to 2 tops, got 3"),
    ],
)
def test_refuses_numbers_of_bottoms_and_tops(kind: str, bottoms: int, tops: int, message: str) -> None:
    with pytest.raises(GraphError, match=rf"^layer 'p' \({kind}\): {message}"):
        create(f"name: 'p' type: '{kind}'", bottoms, tops)


def test_refuses_in_place_where_it_cannot_be() -> None:
    with pytest.raises(GraphError, match=r"^layer 'p' \(Pooling\): Pooling cannot run in place; give its top a name"):
        create("name: 'p' type: 'Pooling' bottom: 'x' top: 'x' pooling_param { kernel_size: 2 }")
    create("name: 'p' type: 'Dropout' bottom: 'x' top: 'x'")


def test_refuses_fields_that_are_not_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_LAYERS", registry._LAYERS.copy())

    @register_layer("Half")
    class Half(Layer):
        """Reads one of the fields it should."""

        def __init__(self, spec: LayerSpec) -> None:
            super().__init__(spec)
            self.axis = spec.params("slice_param").axis

    message = r"^layer 'h' \(Half\): slice_param.slice_point is set but Half does not honour it"
    with pytest.raises(FieldError, match=message):
        create("name: 'h' type: 'Half' slice_param { axis: 1 slice_point: 2 }")


def test_warns_of_messages_without_use(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="caffe_compat"):
        create("name: 'd' type: 'Dropout' pooling_param { kernel_size: 2 }")
    assert caplog.messages == [
        "layer 'd' (Dropout): pooling_param is set but Dropout has no use for it; ignored, as Caffe does"
    ]

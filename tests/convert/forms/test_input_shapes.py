import pytest

from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.forms.input_shapes import first_item
from caffe_compat.convert.model import Model
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import GraphError, ShapeError
from tests.convert.models import model_of


def shapeless(text: str, shape: str, fields: str = "") -> Model:
    """A net whose file keeps the names of its inputs and not their shapes, as the SRN fork's do."""
    model = model_of(f'layer {{ name: "data" type: "Input" top: "data" {shape} }} {text}', path="w.caffemodel")
    del model.net.layer[0]
    model.net.input.append("data")
    return model


def shape(*sizes: int) -> str:
    return f"input_param {{ shape {{ {' '.join(f'dim: {size}' for size in sizes)} }} }}"


CONV = (
    'layer { name: "c" type: "Convolution" bottom: "data" top: "c" '
    "convolution_param { num_output: 6 kernel_size: 3 group: %d } }"
)
IP = 'layer { name: "ip" type: "InnerProduct" bottom: "c" top: "ip" inner_product_param { num_output: 2 } }'


def input_of(model: Model, **given: tuple[int, ...]) -> list[int]:
    return list(deploy_form(model, given).net.layer[0].input_param.shape[0].dim)


def test_a_later_weight_tells_the_size() -> None:
    assert input_of(shapeless(CONV % 3 + IP, shape(2, 6, 13, 13))) == [1, 6, 13, 13]


def test_a_net_that_takes_any_size_gets_the_usual_one() -> None:
    assert input_of(shapeless(CONV % 1, shape(2, 6, 13, 13))) == [1, 6, 224, 224]


def test_rounding_leaves_a_choice_of_which_the_roundest_is_taken() -> None:
    pool = 'layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { kernel_size: 4 stride: 4 } }'
    text = pool + (CONV % 1).replace('"data"', '"p"') + IP
    assert input_of(shapeless(text, shape(1, 3, 21, 21))) == [1, 3, 24, 24]


def test_the_crop_of_the_data_layer_comes_first() -> None:
    model = model_of(
        f'layer {{ name: "data" type: "Input" top: "data" {shape(1, 3, 9, 9)} }} {CONV % 1}', path="w.caffemodel"
    )
    data = model.net.layer[0]
    data.ClearField("input_param")
    data.type, data.transform_param.crop_size = "Data", 57
    assert input_of(model) == [1, 3, 57, 57]


def test_rows_of_values() -> None:
    ip = IP.replace('"c"', '"data"')
    assert input_of(shapeless(ip, shape(4, 7))) == [1, 7]
    assert input_of(shapeless(ip.replace("num_output: 2", "num_output: 2 transpose: true"), shape(4, 7))) == [1, 7]


@pytest.mark.parametrize("kind", ["BN", "BatchNorm", "Scale", "PReLU"])
def test_channels_of_other_first_layers(kind: str) -> None:
    model = shapeless(f'layer {{ name: "n" type: "{kind}" bottom: "data" top: "n" }}', shape(2, 5, 3, 3))
    assert first_item(model, "data") == (5, None, None)


def test_channels_behind_layers_without_weights() -> None:
    power = 'layer { name: "power" type: "Power" bottom: "data" top: "p" }'
    deconvolution = (CONV % 1).replace("Convolution", "Deconvolution").replace('"data"', '"p"')
    assert first_item(shapeless(power + deconvolution, shape(2, 6, 13, 13)), "data") == (6, None, None)


def test_what_is_given_is_taken() -> None:
    model = shapeless(CONV % 1, shape(2, 6, 13, 13))
    report = ConversionReport(model)
    assert input_of(model, data=(3, 6, 40, 50)) == [3, 6, 40, 50]
    deploy_form(model, None, report)
    assert report.notes[1].startswith("input 'data': 1x6x224x224, the first usual size that fits all weights")


def test_a_shape_for_another_blob_is_refused() -> None:
    with pytest.raises(
        GraphError, match=r"^w\.caffemodel: no input 'image' to give a shape to; the net's inputs: data"
    ):
        input_of(shapeless(CONV % 1, shape(2, 6, 13, 13)), image=(1, 2))


def test_a_size_that_no_square_fits_is_refused() -> None:
    with pytest.raises(
        ShapeError,
        match=r"^w\.caffemodel: no usual square size of data fits all weights \(first problem: layer 'ip' .*\); give",
    ):
        input_of(shapeless(CONV % 1 + IP, shape(2, 6, 13, 14)))


@pytest.mark.parametrize(
    "text",
    [
        'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }',
        'layer { name: "b" type: "Bias" bottom: "data" top: "r" }',
    ],
)
def test_weights_that_say_too_little_are_refused(text: str) -> None:
    with pytest.raises(
        ShapeError, match=r"^w\.caffemodel: expected weights behind input 'data' that tell its channels"
    ):
        input_of(shapeless(text, shape(2, 6, 13, 13)))


def test_a_given_shape_that_the_weights_contradict_is_refused() -> None:
    with pytest.raises(
        ShapeError,
        match=r"^w\.caffemodel: the net does not take data=2,6,20,13 \(first problem: layer 'ip' .*: expected weights",
    ):
        input_of(shapeless(CONV % 1 + IP, shape(2, 6, 13, 13)), data=(2, 6, 20, 13))

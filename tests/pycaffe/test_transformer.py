"""io.Transformer: images become a net's input and come back."""

import numpy as np
import pytest

from caffe_compat.errors import GraphError
from caffe_compat.pycaffe.images import resize_image
from caffe_compat.pycaffe.io import Transformer

RANDOM = np.random.RandomState(1)


@pytest.fixture
def transformer() -> Transformer:
    made = Transformer({"data": (2, 3, 5, 4)})
    made.set_transpose("data", (2, 0, 1))
    made.set_channel_swap("data", (2, 0, 1))
    made.set_raw_scale("data", 255)
    made.set_mean("data", np.array([10.0, 20, 30]))
    made.set_input_scale("data", 0.5)
    return made


def test_the_steps_run_in_caffes_order(transformer: Transformer) -> None:
    image = RANDOM.rand(5, 4, 3)
    made = transformer.preprocess("data", image)
    expected = (image.astype(np.float64).transpose(2, 0, 1)[[2, 0, 1]] * 255 - np.array([[[10]], [[20]], [[30]]])) * 0.5
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, atol=2e-5)  # float32 of up to 255


def test_images_of_another_size_are_resized_first(transformer: Transformer) -> None:
    image = RANDOM.rand(9, 6, 3).astype(np.float32)
    small = resize_image(image, (5, 4))
    assert (transformer.preprocess("data", image) == transformer.preprocess("data", small)).all()


def test_the_image_is_left_as_it_is(transformer: Transformer) -> None:
    image = RANDOM.rand(5, 4, 3).astype(np.float32)
    before = image.copy()
    transformer.preprocess("data", image)
    assert (image == before).all()


def test_deprocess_is_the_inverse(transformer: Transformer) -> None:
    image = RANDOM.rand(5, 4, 3).astype(np.float32)
    np.testing.assert_allclose(transformer.deprocess("data", transformer.preprocess("data", image)), image, atol=1e-6)


def test_without_steps_nothing_changes() -> None:
    image = RANDOM.rand(5, 4).astype(np.float32)
    plain = Transformer({"data": (1, 1, 5, 4)})
    assert (plain.preprocess("data", image) == image).all()
    assert (plain.deprocess("data", image) == image).all()


def test_means_of_every_form() -> None:
    made = Transformer({"data": (2, 3, 5, 4), "grey": (2, 1, 5, 4)})
    image = RANDOM.rand(3, 5, 4).astype(np.float32)
    made.set_mean("data", image)
    assert made.mean["data"] is image
    made.set_mean("grey", image[0])
    assert (made.mean["grey"] == image[0]).all()
    large = (RANDOM.rand(3, 9, 8) * 100).astype(np.float32)
    made.set_mean("data", large)
    expected = resize_image(large.transpose(1, 2, 0), (5, 4)).transpose(2, 0, 1)
    np.testing.assert_allclose(made.mean["data"], expected, rtol=1e-5)
    made.set_mean("data", np.full((3, 2, 2), 7.0))
    assert (made.mean["data"] == np.full((3, 5, 4), 7.0)).all()


def test_only_inputs_have_steps(transformer: Transformer) -> None:
    for call in (
        lambda: transformer.preprocess("image", np.zeros((5, 4, 3))),
        lambda: transformer.set_raw_scale("image", 2),
        lambda: transformer.set_input_scale("image", 2),
    ):
        with pytest.raises(GraphError, match=r"^image is not one of the net inputs: data"):
            call()


@pytest.mark.parametrize(
    ("call", "value", "message"),
    [
        ("set_transpose", (1, 0), r"input 'data': expected an order of 3 axes, got \(1, 0\)"),
        ("set_channel_swap", (1, 0), r"input 'data': expected an order of 3 channels, got \(1, 0\)"),
        ("set_mean", np.zeros(2), "input 'data': mean channels incompatible: expected 3, got 2"),
        (
            "set_mean",
            np.zeros((1, 2, 3, 4)),
            r"input 'data': mean shape invalid: expected 1 to 3 axes, got \(1, 2, 3, 4\)",
        ),
    ],
)
def test_wrong_shapes_are_values_errors(transformer: Transformer, call: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        getattr(transformer, call)("data", value)


def test_a_grey_image_comes_back_with_its_channel() -> None:
    grey = Transformer({"data": (1, 1, 5, 4)})
    grey.set_transpose("data", (2, 0, 1))
    grey.set_mean("data", np.array([10.0]))
    image = RANDOM.rand(5, 4, 1).astype(np.float32)
    np.testing.assert_allclose(grey.deprocess("data", grey.preprocess("data", image)[None]), image, rtol=0, atol=1e-6)

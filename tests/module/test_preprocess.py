"""A module says what its net expects of an image, and prepares images so."""

import copy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import caffe_compat as caffe
from caffe_compat.data.preprocessing import BGR, RGB, Preprocessing
from caffe_compat.errors import FieldError, MissingFeatureError, ShapeError
from caffe_compat.module.caffe_module import CaffeModule
from caffe_compat.srn.prediction.predictor import Predictor
from caffe_compat.srn.prediction.released_input import MEAN_BGR
from tests.module.nets import TEXT, images, small

SAYING = TEXT.replace("input_param", "transform_param { mean_value: 4.5 scale: 0.25 } input_param", 1)
IMAGES = Preprocessing(BGR, (4.5,), 0.25)


def pixels(number: int = 0) -> np.ndarray:
    """RGB, of another size than the net's images."""
    return np.random.default_rng(number).integers(0, 256, (7 + number, 12, 3), dtype=np.uint8)


def test_a_module_says_what_it_expects() -> None:
    assert small(text=SAYING).preprocessing == IMAGES
    assert small().preprocessing is None


def test_one_image_and_lists_of_each_kind(tmp_path: Path) -> None:
    module = small(text=SAYING)
    cv2.imwrite(str(tmp_path / "p.png"), pixels(1)[..., ::-1])
    made = module.preprocess([pixels(0), str(tmp_path / "p.png"), tmp_path / "p.png"])

    assert (made.dtype, made.shape) == (torch.float32, (3, 3, 9, 8))
    for number, image in ((0, pixels(0)), (1, pixels(1)), (2, pixels(1))):
        one = IMAGES.input_of(image, 9, 8)
        assert np.array_equal(made[number].numpy(), one)
        assert np.array_equal(module.preprocess(image).numpy(), one[None])
    assert module(made).shape == (3, 5)
    assert module.preprocess(pixels(), size=(5, 6)).shape == (1, 3, 5, 6)


def test_nobody_knows() -> None:
    with pytest.raises(
        MissingFeatureError,
        match=r"^net 'small': what it expects of an image is stored nowhere; .* --mean 104,117,123 \(and --channels, ",
    ):
        small().preprocess(pixels())


def test_copies_and_pickles_know_it_too(tmp_path: Path) -> None:
    module = small(text=SAYING)
    torch.save(module, tmp_path / "whole.pt")
    for other in (copy.deepcopy(module), torch.load(tmp_path / "whole.pt", weights_only=False)):
        assert isinstance(other, CaffeModule)
        assert other.preprocessing == IMAGES
        assert torch.equal(other.preprocess(pixels()), module.preprocess(pixels()))


def test_load_can_be_told(tmp_path: Path) -> None:
    path = str(tmp_path / "net.safetensors")
    caffe.save(small(text=SAYING), path)
    told = Preprocessing(RGB, (1, 2, 3))

    assert caffe.load(path, preprocessing=told).preprocessing == told
    assert caffe.load(path).preprocessing == IMAGES


def test_predict_prepares_bit_for_bit_the_same(tmp_path: Path) -> None:
    module = small(text=TEXT.replace("input_param", "transform_param { mean_value: [104, 117, 123] } input_param", 1))
    caffe.save(module, str(tmp_path / "net.caffemodel"))
    files = [str(tmp_path / f"{number}.png") for number in range(3)]
    for number, file in enumerate(files):
        cv2.imwrite(file, pixels(number)[..., ::-1])
    predictor = Predictor(str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel"), 3, engine="exact")
    made = module.preprocess(files)

    assert predictor.preprocessing == module.preprocessing == Preprocessing(BGR, MEAN_BGR)
    module.use_engine("exact")
    with torch.no_grad():
        assert np.array_equal(predictor.predict(files), module(made).numpy())


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_predict_takes_a_bare_state_dict_with_its_prototxt(suffix: str, tmp_path: Path) -> None:
    module, bare = small(), str(tmp_path / f"bare.{suffix}")
    caffe.save(module, str(tmp_path / "net.caffemodel"))
    (save_file if suffix == "safetensors" else torch.save)(module.state_dict(), bare)
    cv2.imwrite(str(tmp_path / "p.png"), pixels(1)[..., ::-1])
    made, wanted = (
        Predictor(str(tmp_path / "net.prototxt"), weights, 2).predict([str(tmp_path / "p.png")])
        for weights in (bare, str(tmp_path / "net.caffemodel"))
    )

    assert np.array_equal(made, wanted)


def test_images_go_where_the_weights_are() -> None:
    module = small(text=SAYING).to("meta")
    assert module.preprocess(pixels()).device.type == "meta"
    assert images().device.type == "cpu"


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_images_have_the_precision_of_the_weights(dtype: torch.dtype) -> None:
    module = small(text=SAYING).to(dtype)
    assert module(module.preprocess(pixels())).dtype == dtype


def test_no_image_and_no_size() -> None:
    module = small(text=SAYING)
    with pytest.raises(ShapeError, match=r"^net 'small': expected an image or a list of images, got an empty list$"):
        module.preprocess([])
    sizes: list[Any] = [32, (0, 3), (4, -1), (4,), "ab", (2.5, 3)]
    for size in sizes:
        with pytest.raises(ShapeError, match=r"^size: expected \(height, width\), each from 1 on, got "):
            module.preprocess(pixels(), size=size)
    of_numpy: Any = np.array([5, 6])
    assert module.preprocess(pixels(), size=of_numpy).shape == (1, 3, 5, 6)


def test_load_is_told_by_a_preprocessing(tmp_path: Path) -> None:
    path = str(tmp_path / "net.safetensors")
    caffe.save(small(), path)
    told: Any = {"mean": (1, 2, 3)}
    with pytest.raises(
        FieldError, match=r"net.safetensors: preprocessing: expected caffe_compat.Preprocessing.* dict$"
    ):
        caffe.load(path, preprocessing=told)

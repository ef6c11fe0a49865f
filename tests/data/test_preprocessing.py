"""What a net expects of an image, against loops and pycaffe's Transformer."""

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import caffe_compat as caffe
from caffe_compat.data.preprocessing import BGR, GRAY, RGB, UNSAID, ImageFlags, Preprocessing, picture_of
from caffe_compat.errors import FieldError, ShapeError

MEAN = (104.5, 117.25, 123.0)


def picture(tmp_path: Path, *shape: int) -> tuple[str, NDArray[np.uint8]]:
    """A picture's file and its RGB pixels."""
    pixels = np.random.default_rng(4).integers(0, 256, shape, dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "p.png"), pixels[..., ::-1])
    return str(tmp_path / "p.png"), pixels


def loops(
    pixels: NDArray[np.uint8], order: list[int], mean: tuple[float, ...], scale: float, size: tuple[int, int]
) -> NDArray[np.float64]:
    """Bilinear with black beyond the edges, one value at a time, in float64."""
    rows, columns = pixels.shape[:2]
    out = np.empty((len(order), *size))
    for c, i, j in np.ndindex(out.shape):
        y, x = (i + 0.5) * rows / size[0] - 0.5, (j + 0.5) * columns / size[1] - 0.5
        value = 0.0
        for row in (math.floor(y), math.floor(y) + 1):
            for column in (math.floor(x), math.floor(x) + 1):
                if 0 <= row < rows and 0 <= column < columns:
                    value += (1 - abs(y - row)) * (1 - abs(x - column)) * float(pixels[row, column, order[c]])
        value = min(max(value, float(pixels.min())), float(pixels.max()))
        out[c, i, j] = (value - mean[c]) * scale
    return out


@pytest.mark.parametrize("size", [(5, 7), (3, 11), (8, 4)])
@pytest.mark.parametrize(("channels", "order"), [(BGR, [2, 1, 0]), (RGB, [0, 1, 2])])
def test_loops_give_the_same(channels: str, order: list[int], size: tuple[int, int], tmp_path: Path) -> None:
    file, pixels = picture(tmp_path, 5, 7, 3)
    made = Preprocessing(channels, MEAN, 0.25).input_of(file, *size)

    assert made.dtype == np.float32
    np.testing.assert_allclose(made, loops(pixels, order, MEAN, 0.25, size), rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(6, 9), (5, 4)])
def test_pycaffes_transformer_gives_the_same(size: tuple[int, int], tmp_path: Path) -> None:
    file, _ = picture(tmp_path, 6, 9, 3)
    transformer = caffe.io.Transformer({"data": (1, 3, *size)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_channel_swap("data", (2, 1, 0))
    transformer.set_raw_scale("data", 255)
    transformer.set_mean("data", np.array(MEAN, np.float32))
    transformer.set_input_scale("data", 0.017)
    wanted = transformer.preprocess("data", caffe.io.load_image(file))

    made = Preprocessing(BGR, MEAN, 0.017).input_of(file, *size)
    # The same arithmetic where nothing is resized; the Transformer stretches values to 0..1 before it resizes.
    np.testing.assert_allclose(made, wanted, rtol=0, atol=0 if size == (6, 9) else 1e-5)


def test_paths_arrays_and_grey_are_one(tmp_path: Path) -> None:
    file, pixels = picture(tmp_path, 4, 6, 3)
    alpha = np.dstack([pixels, np.zeros((4, 6), np.uint8)])
    for image in (Path(file), pixels, alpha):
        assert np.array_equal(picture_of(image), picture_of(file))
    grey = pixels[..., 0]
    assert np.array_equal(picture_of(grey), picture_of(np.dstack([grey] * 3)))


def test_pil_images() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (4, 3, 3), dtype=np.uint8)

    assert np.array_equal(picture_of(Image.fromarray(pixels)), picture_of(pixels))
    assert picture_of(Image.new("P", (3, 4), 1)).shape == (4, 3, 3)


def test_pil_images_of_more_than_8_bits(tmp_path: Path) -> None:
    """Pillow's own way to 8 bits cuts off what is above 255."""
    pixels = np.random.default_rng(2).integers(0, 65536, (4, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), pixels)

    assert np.array_equal(picture_of(Image.fromarray(pixels)), picture_of(tmp_path / "deep.png"))
    for values in (pixels.astype(np.int32), pixels.astype(np.float32)):
        with pytest.raises(
            ShapeError, match=r"^image: expected a path, a PIL image or an array .* found (int|float)32"
        ):
            picture_of(Image.fromarray(values))


def test_grey_nets_weigh_colours_as_scikit_image(tmp_path: Path) -> None:
    file, _ = picture(tmp_path, 4, 6, 3)
    made = Preprocessing(GRAY, (30,), 1 / 256).input_of(file, 4, 6)
    wanted = (255 * caffe.io.load_image(file, color=False)[..., 0] - 30) / 256

    assert made.shape == (1, 4, 6)
    np.testing.assert_allclose(made[0], wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "wrong", [np.zeros((3, 4, 3), np.float32), np.zeros((3, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_other_arrays_are_refused(wrong: NDArray[np.uint8]) -> None:
    with pytest.raises(ShapeError, match=r"^image: expected a path, a PIL image or an array of uint8, RGB .* found "):
        picture_of(wrong)


def test_numbers_that_are_none() -> None:
    with pytest.raises(FieldError, match=r"^channels: expected one of bgr, rgb, gray, found 'yuv'"):
        Preprocessing("yuv")
    with pytest.raises(FieldError, match=r"^mean: expected one number, or 3 for bgr, found 2"):
        Preprocessing(BGR, (1, 2))
    for mean, scale in (((1, math.nan, 3), 1), ((math.inf,), 1), ((), 0), ((), 1e-60), ((), -math.inf)):
        with pytest.raises(
            FieldError, match=r"^mean and scale: expected finite numbers and a scale that is not 0, found"
        ):
            Preprocessing(BGR, mean, scale)
    given: list[tuple[Any, Any]] = [(5, 1), ((1, 2, "x"), 1), ((1, 2, 3), (1, 1, 1)), (None, 1)]
    for wrong_mean, wrong_scale in given:
        with pytest.raises(
            FieldError, match=r"^mean and scale: expected the numbers of mean in a tuple, as in .* found"
        ):
            Preprocessing(BGR, wrong_mean, wrong_scale)
    array: Any = np.array([1, 2, 3])
    assert Preprocessing(BGR, array) == Preprocessing(BGR, (1, 2, 3))


def test_what_it_says() -> None:
    assert str(Preprocessing(RGB, (127.5,), 0.0078125)) == "RGB pixels from 0 to 255 minus 127.5, times 0.0078125"
    assert str(Preprocessing()) == "BGR pixels from 0 to 255 minus 0"
    assert Preprocessing(RGB, (5,)).channel_means() == (5, 5, 5)
    assert Preprocessing(GRAY).channel_means() == (0,)


def test_flags_win() -> None:
    stored = Preprocessing(RGB, MEAN, 0.5)

    assert UNSAID.over(None) is None
    assert UNSAID.over(stored) is stored
    assert ImageFlags(scale=0.25).over(None, planes=1) == Preprocessing(GRAY, (), 0.25)
    assert ImageFlags(BGR, mean=(1.0,)).over(stored) == Preprocessing(BGR, (1,), 0.5)
    assert ImageFlags(mean=MEAN).contradiction(stored, "f") == ""
    assert ImageFlags(mean=(1.0,)).contradiction(None, "f") == ""
    line = ImageFlags(mean=(0.0,)).contradiction(stored, "net.prototxt")
    assert line == (
        "images: RGB pixels from 0 to 255 minus 0, times 0.5, as the flags say; net.prototxt says RGB pixels from 0 to "
        "255 minus 104.5, 117.25, 123, times 0.5"
    )

"""Images are read, resized and cropped as pycaffe of 2016 did it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.pycaffe.images import load_image, oversample, resize_image

RANDOM = np.random.RandomState(9)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[np.ndarray], str]:
    def written(picture: np.ndarray) -> str:
        path = str(tmp_path / "picture.png")
        cv2.imwrite(path, picture)
        return path

    return written


def test_colours_come_red_first_from_0_to_1(write: Callable[..., Any]) -> None:
    picture = RANDOM.randint(0, 256, (5, 7, 3), np.uint8)
    loaded = load_image(write(picture))
    assert loaded.dtype == np.float32
    assert (loaded == (picture[:, :, ::-1] / 255.0).astype(np.float32)).all()


@pytest.mark.parametrize(("kind", "most"), [(np.uint8, 255.0), (np.uint16, 65535.0)])
def test_grey_becomes_three_channels_or_one(write: Callable[..., Any], kind: type, most: float) -> None:
    picture: np.ndarray = RANDOM.randint(0, np.iinfo(kind).max, (5, 7)).astype(kind)
    grey = (picture / most).astype(np.float32)[:, :, None]
    assert (load_image(write(picture)) == np.tile(grey, (1, 1, 3))).all()
    assert (load_image(write(picture), color=False) == grey).all()


def test_alpha_is_dropped(write: Callable[..., Any]) -> None:
    picture = RANDOM.randint(0, 256, (5, 7, 4), np.uint8)
    assert (load_image(write(picture)) == (picture[:, :, 2::-1] / 255.0).astype(np.float32)).all()


def test_grey_of_colours_is_weighted_as_scikit_image_does(write: Callable[..., Any]) -> None:
    picture = RANDOM.randint(0, 256, (5, 7, 3), np.uint8)
    expected = (0.0721 * picture[..., 0] + 0.7154 * picture[..., 1] + 0.2125 * picture[..., 2]) / 255
    loaded = load_image(write(picture), color=False)
    assert loaded.shape == (5, 7, 1)
    np.testing.assert_allclose(loaded[..., 0], expected, rtol=1e-6)


def test_pictures_of_floats_are_kept(tmp_path: Path) -> None:
    picture = RANDOM.rand(5, 7).astype(np.float32) * 3
    cv2.imwrite(str(tmp_path / "picture.tiff"), picture)
    assert (load_image(str(tmp_path / "picture.tiff"), color=False)[..., 0] == picture).all()


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.png: cannot read the image; load_image: could not load .*No such file"):
        load_image(str(tmp_path / "none.png"))


def test_scripts_skip_bad_images_as_they_did(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(OSError, match=r"bad\.jpg: cannot read the image"):
        load_image(str(tmp_path / "bad.jpg"))


def test_resizing_keeps_the_range_of_any_image() -> None:
    image = (RANDOM.rand(9, 6, 3) * 40 - 7).astype(np.float32)
    resized = resize_image(image, (4, 11), interp_order=3)
    assert resized.shape == (4, 11, 3)
    assert resized.dtype == np.float32
    assert image.min() <= resized.min() < resized.max() <= image.max()


def test_an_enlarged_image_darkens_towards_its_least_value_at_the_borders() -> None:
    image = np.full((2, 2, 1), 5.0)
    image[0, 0] = 1
    # Target pixel 0 lies at -0.25: a quarter of it is beyond the edge on each axis.
    resized = resize_image(image, (4, 4))[..., 0]
    assert resized[3, 3] == pytest.approx(1 + 4 * 0.75 * 0.75)
    assert resized[2, 2] == pytest.approx(1 + 4 * (1 - 0.25 * 0.25))


def test_a_constant_image_stays_constant() -> None:
    assert (resize_image(np.full((3, 4, 3), 0.7, np.float32), (5, 2)) == np.float32(0.7)).all()


def test_other_numbers_of_channels_are_zoomed_from_corner_to_corner() -> None:
    image = RANDOM.rand(4, 5, 2)
    resized = resize_image(image, (7, 9))
    assert resized.shape == (7, 9, 2)
    np.testing.assert_allclose(resized[::6, ::8], image[::3, ::4], rtol=1e-6)
    np.testing.assert_allclose(resized[1, 0], (image[0, 0] + image[1, 0]) / 2, rtol=1e-6)


def test_ten_crops_of_each_image() -> None:
    images = RANDOM.rand(2, 7, 8, 3).astype(np.float32)
    crops = oversample(images, (4, 5))
    assert crops.shape == (20, 4, 5, 3)
    for image, ten in zip(images, crops.reshape(2, 10, 4, 5, 3), strict=True):
        starts = [(0, 0), (0, 3), (3, 0), (3, 3), (1, 1)]  # the centre is rounded down
        for crop, mirrored, (top, left) in zip(ten[:5], ten[5:], starts, strict=True):
            assert (crop == image[top : top + 4, left : left + 5]).all()
            assert (mirrored == crop[:, ::-1]).all()


def test_crops_fit_into_the_images() -> None:
    with pytest.raises(ShapeError, match=r"^expected crops of at most 7 x 8, the images' size, got 9 x 5"):
        oversample(np.zeros((1, 7, 8, 3)), (9, 5))


def test_an_image_without_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^expected an image \(height, width, channels\), got \(5, 7\); grey has one"):
        resize_image(RANDOM.rand(5, 7), (3, 4))


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OSError, match=r"pipe\.png: cannot read the image; .*found a pipe"):
        load_image(str(tmp_path / "pipe.png"))


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60_000).to_bytes(4, "big") * 2
    (tmp_path / "bomb.png").write_bytes(header + b"\x08\2" * 9)
    with pytest.raises(OSError, match=r"bomb\.png: cannot read the image; .*60000 x 60000 pixels, above the limit"):
        load_image(str(tmp_path / "bomb.png"))

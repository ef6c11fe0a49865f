import math
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from caffe_compat.data.preprocessing import read_picture
from caffe_compat.data.skimage_resize import resize
from caffe_compat.errors import DataError
from caffe_compat.srn.prediction.released_input import MEAN_BGR, net_input

GOLDENS = Path(__file__).parents[2] / "goldens" / "srn_fork" / "predict"


def loops(picture, height, width):
    """Bilinear with black beyond the edges, one pixel at a time."""
    rows, columns, channels = picture.shape

    def pixel(row, column, channel):
        inside = 0 <= row < rows and 0 <= column < columns
        return float(picture[row, column, channel]) if inside else 0.0

    out = np.empty((height, width, channels))
    for i, j, c in np.ndindex(out.shape):
        y, x = (i + 0.5) * rows / height - 0.5, (j + 0.5) * columns / width - 0.5
        top, left = math.floor(y), math.floor(x)
        out[i, j, c] = sum(
            (1 - abs(y - row)) * (1 - abs(x - column)) * pixel(row, column, c)
            for row in (top, top + 1)
            for column in (left, left + 1)
        )
    return np.clip(out, picture.min(), picture.max())


@pytest.mark.parametrize(("height", "width"), [(4, 9), (13, 3), (5, 7), (11, 17)])
def test_resize_against_loops(height, width):
    picture = np.random.default_rng(1).uniform(0.3, 0.8, (5, 7, 3)).astype(np.float32)

    np.testing.assert_allclose(resize(picture, height, width), loops(picture, height, width), rtol=0, atol=1e-12)


def test_borders_of_enlarged_images_darken_but_not_below_the_darkest_value():
    even = np.full((3, 4, 3), 0.5, np.float32)
    uneven = even.copy()
    uneven[1, 1] = 0.1

    assert resize(even, 9, 8).min() == 0.5
    assert resize(uneven, 9, 8)[0, 0, 0] == pytest.approx(0.5 * (1 - 1 / 3) * (1 - 1 / 4))


@pytest.mark.parametrize(("name", "record"), [("p0", "first"), ("p2", "third")])
def test_inputs_of_the_released_pipeline(name, record):
    recorded = np.load(GOLDENS / "inputs.npz")[record]
    made = net_input(str(GOLDENS / "images" / f"{name}.png"), 224, 224)

    # float32 values up to 151; scikit-image rounds once more on its way.
    np.testing.assert_allclose(made, recorded, rtol=0, atol=1e-4)


def test_grey_alpha_and_16_bits(tmp_path):
    random = np.random.default_rng(2)
    grey = random.integers(0, 256, (5, 7), dtype=np.uint8)
    alpha = random.integers(0, 256, (5, 7, 4), dtype=np.uint8)
    deep = random.integers(0, 65536, (5, 7, 3), dtype=np.uint16)
    for name, image in (("grey", grey), ("alpha", alpha), ("deep", deep)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)

    np.testing.assert_allclose(read_picture(str(tmp_path / "grey.png")), np.dstack([grey] * 3) / 255, rtol=1e-6)
    np.testing.assert_allclose(read_picture(str(tmp_path / "alpha.png")), alpha[..., :3] / 255, rtol=1e-6)
    np.testing.assert_allclose(read_picture(str(tmp_path / "deep.png")), deep / 65535, rtol=1e-6)
    whole = net_input(str(tmp_path / "grey.png"), 5, 7)
    np.testing.assert_allclose(whole, grey[None] - np.array(MEAN_BGR, np.float32).reshape(3, 1, 1), atol=1e-4)


def test_files_that_are_no_images_are_errors(tmp_path):
    with pytest.raises(DataError, match=r"^image: could not load '.*none.png': No such file or directory"):
        read_picture(str(tmp_path / "none.png"))
    cv2.imwrite(str(tmp_path / "float.tiff"), np.zeros((2, 3), np.float32))
    with pytest.raises(DataError, match=r"^.*float.tiff: expected whole numbers of 8 or 16 bits, found float32"):
        read_picture(str(tmp_path / "float.tiff"))


def test_pipes_damage_and_bombs_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(DataError, match=r"^image: could not load '.*pipe.jpg': expected a file, found a pipe"):
        read_picture(str(tmp_path / "pipe.jpg"))
    for content in (b"", b"\xff\xd8\xff no picture", b"text"):
        (tmp_path / "no.jpg").write_bytes(content)
        with pytest.raises(DataError, match=r"^.*no.jpg: cannot read the image; it is damaged or of a format that"):
            read_picture(str(tmp_path / "no.jpg"))
    cv2.imwrite(str(tmp_path / "bomb.png"), np.zeros((3, 4, 3), np.uint8))
    bomb = bytearray((tmp_path / "bomb.png").read_bytes())
    bomb[16:24] = (90_000).to_bytes(4, "big") * 2
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(DataError, match=r"bomb.png: the file declares an image of 90000 x 90000 pixels, above"):
        read_picture(str(tmp_path / "bomb.png"))

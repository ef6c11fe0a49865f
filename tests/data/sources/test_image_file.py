"""Image files."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from caffe_compat.data.sources.image_file import read_image
from caffe_compat.errors import DataError
from tests.data.made_files import picture


def test_reads_and_resizes(tmp_path: Path) -> None:
    image = picture(6, 7)
    path = str(tmp_path / "x.png")
    cv2.imwrite(path, image)
    assert np.array_equal(read_image(path, cv2.IMREAD_COLOR, "layer"), image)
    assert np.array_equal(read_image(path, cv2.IMREAD_COLOR, "layer", 4, 9), cv2.resize(image, (9, 4)))
    assert np.array_equal(read_image(path, cv2.IMREAD_COLOR, "layer", 4, 0), image)
    assert read_image(path, cv2.IMREAD_GRAYSCALE, "layer", 4, 9).shape == (4, 9, 1)


def test_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"^layer: could not load '{tmp_path}/none': No such file or directory"):
        read_image(f"{tmp_path}/none", cv2.IMREAD_COLOR, "layer")


def test_names_a_broken_file(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"broken")
    with pytest.raises(DataError, match=rf"^layer: '{tmp_path}/x.jpg': could not decode the image \(6 bytes\)"):
        read_image(f"{tmp_path}/x.jpg", cv2.IMREAD_COLOR, "layer")

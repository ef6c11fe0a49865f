"""caffe.Detector: windows of images, warped with context."""

import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from caffe_compat.errors import MissingFeatureError, ShapeError
from caffe_compat.pycaffe.detector import Detector
from caffe_compat.pycaffe.images import load_image, resize_image
from caffe_compat.pycaffe.net import Net
from tests.pycaffe.conftest import DEPLOY, NetFile

RANDOM = np.random.RandomState(6)
WINDOWS = np.array([[2, 3, 11, 14], [0, 0, 6, 6]])


@pytest.fixture
def files(net_file: NetFile, tmp_path: Path) -> tuple[str, str]:
    path, weights = net_file(DEPLOY), str(tmp_path / "w.caffemodel")
    Net(path, 1).save(weights)
    return path, weights


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = str(tmp_path / "picture.png")
    cv2.imwrite(path, RANDOM.randint(0, 256, (15, 18, 3), np.uint8))
    return path


def test_every_window_is_predicted(files: tuple[str, str], picture: str) -> None:
    detections = Detector(*files, raw_scale=2).detect_windows(iter([(picture, WINDOWS)]))
    image = load_image(picture)
    crops = [resize_image(image[2:11, 3:14], (6, 6)), image[0:6, 0:6]]
    batch = np.stack([crop.transpose(2, 0, 1) * 2 for crop in crops])
    expected = Net(files[0], 1, weights=files[1]).forward_all(data=batch)["scores"]
    for detection, window, scores in zip(detections, WINDOWS, expected, strict=True):
        assert detection["filename"] == picture
        assert detection["window"].tolist() == window.tolist()
        np.testing.assert_allclose(detection["prediction"], scores, atol=1e-6)


def test_context_is_mapped_to_a_border_of_the_net(files: tuple[str, str]) -> None:
    # 6 pixels, 1 of context: the window of 8 x 12 fills 4 x 4, so the box has 12 x 18.
    image = RANDOM.rand(40, 50, 3).astype(np.float32)
    crop = Detector(*files, context_pad=1).crop(image, np.array([10, 12, 17, 23]))
    assert crop.shape == (6, 6, 3)
    # Rounded half to even about the centre (14, 18): rows 8 to 20, columns 9 to 27, of which the last are left out.
    np.testing.assert_allclose(crop, resize_image(image[8:20, 9:27], (6, 6)), atol=1e-6)


def test_beyond_the_image_lies_the_mean(files: tuple[str, str]) -> None:
    image = RANDOM.rand(40, 50, 3).astype(np.float32)
    mean = np.array([51.0, 102, 153])
    detector = Detector(*files, mean=mean, raw_scale=255, channel_swap=(2, 1, 0), context_pad=1)
    crop = detector.crop(image, np.array([0, 20, 7, 31]))
    # The box starts two rows above the image: a sixth of its twelve rows, one row of the net's six.
    np.testing.assert_allclose(crop[0], np.broadcast_to([0.6, 0.4, 0.2], (6, 3)), rtol=1e-6)
    assert (abs(crop[1] - [0.6, 0.4, 0.2]) > 1e-3).any()


def test_windows_outside_of_the_image_are_refused(files: tuple[str, str]) -> None:
    with pytest.raises(
        ShapeError, match=r"^window \[60\.0, 20\.0, 90\.0, 31\.0\] lies outside of the image of 40 x 50"
    ):
        Detector(*files, context_pad=1).crop(np.zeros((40, 50, 3)), np.array([60, 20, 90, 31]))


def test_selective_search_gives_windows(files: tuple[str, str], picture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    search = ModuleType("selective_search_ijcv_with_python")
    vars(search)["get_windows"] = lambda paths, cmd: [WINDOWS for _ in paths]
    monkeypatch.setitem(sys.modules, search.__name__, search)
    assert len(Detector(*files).detect_selective_search([picture, picture])) == 4


def test_without_selective_search_it_says_so(files: tuple[str, str]) -> None:
    with pytest.raises(MissingFeatureError, match=r"^selective search needs the module selective_search_ijcv"):
        Detector(*files).detect_selective_search(["a.png"])

"""caffe.Classifier: ten crops or one of images of any size."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.pycaffe.classifier import Classifier
from caffe_compat.pycaffe.images import oversample, resize_image
from caffe_compat.pycaffe.net import Net
from tests.pycaffe.conftest import DEPLOY, NetFile

RANDOM = np.random.RandomState(8)
MEAN = np.array([10.0, 20, 30])


@pytest.fixture
def files(net_file: NetFile, tmp_path: Path) -> tuple[str, str]:
    path, weights = net_file(DEPLOY), str(tmp_path / "w.caffemodel")
    Net(path, 1).save(weights)
    return path, weights


def scores_of(files: tuple[str, str], crops: np.ndarray) -> np.ndarray:
    net = Net(files[0], 1, weights=files[1])
    batch = (crops.transpose(0, 3, 1, 2)[:, [2, 1, 0]] * 255 - MEAN[:, None, None]) * 0.01
    return net.forward_all(data=batch.astype(np.float32))["scores"]


def classifier(files: tuple[str, str], dims: tuple[int, int] | None) -> Classifier:
    return Classifier(*files, image_dims=dims, mean=MEAN, input_scale=0.01, raw_scale=255, channel_swap=(2, 1, 0))


@pytest.mark.parametrize("dims", [(8, 9), (7, 6)])
def test_predictions_are_the_mean_of_ten_crops(files: tuple[str, str], dims: tuple[int, int]) -> None:
    images = [RANDOM.rand(12, 10, 3), RANDOM.rand(5, 7, 3)]
    scaled = np.stack([resize_image(image, dims) for image in images])
    expected = scores_of(files, oversample(scaled, (6, 6))).reshape(2, 10, 2).mean(1)
    np.testing.assert_allclose(classifier(files, dims).predict(images), expected, atol=1e-5)


def test_or_those_of_the_centre(files: tuple[str, str]) -> None:
    images = [RANDOM.rand(12, 10, 3)]
    scaled = resize_image(images[0], (9, 8))
    expected = scores_of(files, scaled[None, 1:7, 1:7])
    np.testing.assert_allclose(classifier(files, (9, 8)).predict(images, oversample=False), expected, atol=1e-5)


def test_without_dims_the_whole_image_is_taken(files: tuple[str, str]) -> None:
    images = list(RANDOM.rand(3, 12, 10, 3))
    expected = scores_of(files, np.stack([resize_image(image, (6, 6)) for image in images]))
    np.testing.assert_allclose(classifier(files, None).predict(images, oversample=False), expected, atol=1e-5)

"""Scripts of 2014: phases set after building, and images that the net itself prepares."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.errors import FormatError, GraphError
from caffe_compat.pycaffe.array_error import ArrayError
from caffe_compat.pycaffe.images import resize_image
from tests.pycaffe.conftest import DEPLOY, NetFile

RANDOM = np.random.RandomState(4)


@pytest.fixture
def files(net_file: NetFile, tmp_path: Path) -> tuple[str, str]:
    path, weights = net_file(DEPLOY), str(tmp_path / "w.caffemodel")
    caffe.Net(path, caffe.TEST).save(weights)
    return path, weights


@pytest.fixture
def net(files: tuple[str, str]) -> caffe.Net:
    return caffe.Net(*files)


def test_a_net_without_a_phase_is_for_test(net: caffe.Net) -> None:
    assert net.phase == "TEST"
    net.set_phase_test()
    net.set_mode_cpu()
    with pytest.raises(GraphError, match=r"^a net of phase TEST cannot become one of TRAIN: build it by caffe"):
        net.set_phase_train()


def test_the_phase_of_the_process(files: tuple[str, str]) -> None:
    caffe.set_phase_train()
    try:
        net = caffe.Net(*files)
    finally:
        caffe.set_phase_test()
    assert net.phase == "TRAIN"
    net.set_phase_train()
    with pytest.raises(GraphError, match=r"^a net of phase TRAIN cannot become one of TEST"):
        net.set_phase_test()


def test_prepares_images_as_in_2014(net: caffe.Net, caplog: pytest.LogCaptureFixture) -> None:
    """Resize, swap channels, channels first, raw_scale, mean, input_scale."""
    name = net.inputs[0]
    channels, height, width = net.blobs[name].data.shape[1:]
    mean = RANDOM.rand(channels, height, width).astype(np.float32)
    with caplog.at_level(logging.WARNING):
        net.set_mean(name, mean)
        net.set_raw_scale(name, 255)
        net.set_input_scale(name, 0.5)
        net.set_channel_swap(name, (2, 0, 1))
        image = RANDOM.rand(height + 2, width + 3, channels).astype(np.float32)
        kept = image.copy()
        found = net.preprocess(name, image)
    resized = resize_image(image, (height, width))
    expected = (resized[:, :, [2, 0, 1]].transpose(2, 0, 1) * 255 - mean) * 0.5
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(image, kept)
    np.testing.assert_allclose(net.deprocess(name, found), resized, rtol=1e-4, atol=1e-5)
    assert [record.getMessage() for record in caplog.records].count(
        "Net.preprocess and its set_... are of 2014: caffe.io.Transformer has them today"
    ) == 1


def test_a_mean_of_another_size_and_of_channels(net: caffe.Net) -> None:
    name = net.inputs[0]
    channels, height, width = net.blobs[name].data.shape[1:]
    mean = RANDOM.rand(channels, height + 1, width + 2).astype(np.float32)
    image = np.zeros((height, width, channels), np.float32)
    net.set_mean(name, mean)
    resized = resize_image(mean.transpose(1, 2, 0), (height, width)).transpose(2, 0, 1)
    np.testing.assert_allclose(net.preprocess(name, image), -resized, rtol=1e-5)
    net.set_mean(name, mean, "channel")
    np.testing.assert_allclose(net.preprocess(name, image)[:, 0, 0], -mean.reshape(channels, -1).mean(1), rtol=1e-5)
    with pytest.raises(ArrayError, match=rf"^input '{name}': expected mode elementwise or channel, got pixel"):
        net.set_mean(name, mean, "pixel")


def test_classifiers_of_2014(files: tuple[str, str], tmp_path: Path) -> None:
    np.save(tmp_path / "mean.npy", np.array([1.0, 2, 3]))
    old = caffe.Classifier(*files, gpu=False, mean_file=str(tmp_path / "mean.npy"))
    new = caffe.Classifier(*files, mean=np.array([1.0, 2, 3]))
    image = RANDOM.rand(9, 11, 3).astype(np.float32)
    np.testing.assert_array_equal(old.predict([image], False), new.predict([image], False))


def test_a_mean_file_that_is_none(files: tuple[str, str], tmp_path: Path) -> None:
    claims = tmp_path / "claims.npy"
    np.save(claims, np.zeros(3))
    claims.write_bytes(claims.read_bytes().replace(b"(3,), }", b"(3000000000000,), }")[:128])
    (tmp_path / "text.npy").write_text("0 0 0")
    np.save(tmp_path / "words.npy", np.array(["a", "bc"]))
    np.savez(tmp_path / "several.npz", mean=np.zeros(3))
    os.mkfifo(tmp_path / "pipe.npy")
    found = {
        "claims.npy": r"not a whole NumPy array \(.*\)",
        "text.npy": r"not a whole NumPy array \(.*\)",
        "missing.npy": r"not a whole NumPy array \(.*No such file.*\)",
        "words.npy": r"expected a mean as an array of numbers, found <U2",
        "several.npz": r"expected one array, found an archive of several \(.npz\)",
    }
    for name, message in found.items():
        with pytest.raises(FormatError, match=rf"{name}: {message}; save the mean with numpy.save$"):
            caffe.Classifier(*files, mean_file=str(tmp_path / name))
    with pytest.raises(FormatError, match=r"pipe.npy: expected a file, found a folder, a pipe, .*; check the path$"):
        caffe.Classifier(*files, mean_file=str(tmp_path / "pipe.npy"))

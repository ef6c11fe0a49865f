"""Mean and scale, against plain loops."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffe_compat.data.arithmetic import Arithmetic
from caffe_compat.data.crops import Box
from caffe_compat.data.transform import Cut
from caffe_compat.errors import DataError, FieldError
from caffe_compat.proto import caffe_pb2

PIXELS = torch.randint(0, 256, (2, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
CUTS = [Cut(Box(1, 2, 4, 5), False), Cut(Box(0, 1, 4, 5), True)]


def arithmetic(text: str) -> Arithmetic:
    return Arithmetic(text_format.Parse(text, caffe_pb2.TransformationParameter()), "layer")


def mean_file(folder: Path) -> tuple[str, np.ndarray]:
    mean = np.random.default_rng(1).uniform(0, 200, (3, 6, 8)).astype(np.float32)
    blob = caffe_pb2.BlobProto(num=1, channels=3, height=6, width=8, data=mean.ravel())
    path = folder / "mean.binaryproto"
    path.write_bytes(blob.SerializeToString())
    return str(path), mean


def test_values_and_scale() -> None:
    data = arithmetic("mean_value: 10 mean_value: 20 mean_value: 30 scale: 0.5")(PIXELS, CUTS)
    for n, c, y, x in np.ndindex(2, 3, 4, 5):
        assert data[n, c, y, x] == (float(PIXELS[n, c, y, x]) - (10, 20, 30)[c]) * 0.5


def test_one_value_for_all_channels_and_any_memory_order() -> None:
    last = PIXELS.to(memory_format=torch.channels_last)
    data = arithmetic("mean_value: 7")(last, CUTS)
    assert torch.equal(data, PIXELS.float() - 7)
    assert data.is_contiguous()


@pytest.mark.parametrize("fixed", [False, True])
def test_mean_image_is_cut_as_its_picture(tmp_path: Path, fixed: bool) -> None:
    path, mean = mean_file(tmp_path)
    data = arithmetic(f"mean_file: '{path}' multi_scale: {str(fixed).lower()}")(PIXELS, CUTS)
    for n, c, y, x in np.ndindex(2, 3, 4, 5):
        box, mirrored = CUTS[n]
        top, left = (0, 0) if fixed else (box.top, box.left)
        column = 4 - x if mirrored else x
        assert data[n, c, y, x] == np.float32(PIXELS[n, c, y, x]) - mean[c, top + y, left + column]


def test_does_not_touch_float_pixels() -> None:
    pixels = PIXELS.float()
    arithmetic("mean_value: 9 scale: 3")(pixels, CUTS)
    assert torch.equal(pixels, PIXELS.float())


def host(made: Arithmetic, pixels: np.ndarray) -> np.ndarray:
    """What workers make of (num, channels, height, width) in whatever memory order."""
    batch = np.full(pixels.shape, np.nan, np.float32)
    for item, cut, place in zip(pixels, CUTS, batch, strict=True):
        made.take(item.transpose(1, 2, 0), cut, place)
    return batch


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "scale: 0.3",
        "mean_value: 7.5",
        "mean_value: 10.1 mean_value: 20 mean_value: 30 scale: 0.3",
        "mean_file: 'MEAN' scale: 0.3",
        "mean_file: 'MEAN' multi_scale: true",
    ],
)
def test_workers_compute_what_devices_do(tmp_path: Path, text: str, kind: type, together: bool) -> None:
    made = arithmetic(text.replace("MEAN", mean_file(tmp_path)[0]))
    pixels: np.ndarray = PIXELS.numpy().astype(kind)
    ordered = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if together else pixels
    assert np.array_equal(host(made, ordered), made(torch.from_numpy(pixels), CUTS).numpy())


@pytest.mark.parametrize("channels", [1, 2, 10])
def test_workers_take_any_number_of_channels(channels: int) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (2, 4, 5, channels), dtype=np.uint8)
    values = np.arange(channels) + 0.25
    made = arithmetic(" ".join(f"mean_value: {value}" for value in values))
    for item, cut in zip(pixels, CUTS, strict=True):
        place = np.empty((channels, 4, 5), np.float32)
        made.take(item, cut, place)
        assert np.array_equal(place, (item - values).transpose(2, 0, 1))


def test_memory_for_items_is_the_threads_own() -> None:
    made, image = arithmetic(""), np.zeros((4, 5, 3), np.uint8)
    first = made.memory_for_item((2, 3, 3), image)
    assert first.shape == (2, 3, 3)
    assert first.dtype == np.uint8
    assert made.memory_for_item((2, 3, 3), image) is first
    planes = made.memory_for_item((2, 3, 3), np.zeros((3, 4, 5), np.float32).transpose(1, 2, 0))
    assert planes.strides[2] > planes.strides[1]
    assert planes.dtype == np.float32
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(made.memory_for_item, (2, 3, 3), image).result() is not first


def test_refuses_two_means(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=r"^layer: cannot specify mean_file and mean_value at the same time"):
        arithmetic("mean_file: 'm' mean_value: 1")


def test_refuses_a_mean_image_for_original_images() -> None:
    with pytest.raises(FieldError, match=r"^layer: mean_file has no meaning for crops of original_image"):
        arithmetic("mean_file: 'm' original_image: true crop_size: 4")


def test_refuses_a_wrong_number_of_values() -> None:
    with pytest.raises(FieldError, match=r"^layer: specify either 1 mean_value or as many as channels \(3\), got 2"):
        arithmetic("mean_value: 1 mean_value: 2").check(3, 4, 5)


def test_refuses_a_mean_image_of_another_size(tmp_path: Path) -> None:
    path, _ = mean_file(tmp_path)
    made = arithmetic(f"mean_file: '{path}'")
    made.check(3, 6, 8)
    with pytest.raises(
        DataError, match=r"^layer: mean_file has shape \(3, 6, 8\), the image has \(3, 6, 9\); make the"
    ):
        made.check(3, 6, 9)

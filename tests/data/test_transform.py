"""The geometry of transforms: every memory order and number of channels, against plain indexing and cv2."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffe_compat.data.draws import Box, Draws
from caffe_compat.data.transform import Arithmetic, Cut, Transform
from caffe_compat.errors import DataError, FieldError
from caffe_compat.proto import caffe_pb2
from tests.data.made_files import picture

Pixels = np.ndarray


def transform(text: str, phase: str = "TRAIN") -> Transform:
    return Transform(text_format.Parse(text, caffe_pb2.TransformationParameter()), phase, "layer")


def planes_first(image: Pixels) -> Pixels:
    """The same image, its planes one after the other in memory."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)).transpose(1, 2, 0)


def apply(made: Transform, image: Pixels, cut: Cut, shape: tuple[int, int]) -> Pixels:
    channels = image.shape[2]
    first = image.strides[2] > image.strides[1]
    memory = np.zeros((channels, *shape) if first else (*shape, channels), image.dtype)
    item = memory.transpose(1, 2, 0) if first else memory
    made.apply(image, cut, item)
    return item


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("order", [planes_first, np.ascontiguousarray])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("mirrored", [False, True])
def test_cuts_resizes_and_mirrors(channels: int, order: type, kind: type, mirrored: bool) -> None:
    image = order(picture(9, 11, channels).astype(kind))
    made = transform("crop_size: 5 mirror: true")
    plain = apply(made, image, Cut(Box(2, 3, 5, 5), mirrored), (5, 5))
    expected = image[2:7, 3:8]
    assert np.array_equal(plain, expected[:, ::-1] if mirrored else expected)
    resized = apply(made, image, Cut(Box(1, 2, 7, 6), mirrored), (5, 5))
    planes = [cv2.resize(np.ascontiguousarray(image[1:8, 2:8, c]), (5, 5)) for c in range(channels)]
    expected = np.stack(planes, axis=2)
    assert np.abs(resized.astype(float) - (expected[:, ::-1] if mirrored else expected)).max() <= 1


def test_original_image_resizes_cubically() -> None:
    image = picture(20, 30)
    made = transform("crop_size: 8 original_image: true", "TEST")
    cut = made.cut(20, 30, Draws())
    assert cut == Cut(Box(1, 2, 14, 21), False)
    expected = cv2.resize(image[1:15, 2:23], (8, 8), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(apply(made, image, cut, (8, 8)), expected)


def test_flow_turns_round_with_its_image() -> None:
    image = picture(6, 7, 4)
    item = apply(transform("mirror: true is_flow: true"), image, Cut(Box(0, 0, 6, 7), True), (6, 7))
    expected = image[:, ::-1].copy()
    expected[..., ::2] = 255 - expected[..., ::2]
    assert np.array_equal(item, expected)
    kept = apply(transform("mirror: true is_flow: true"), image, Cut(Box(0, 0, 6, 7), False), (6, 7))
    assert np.array_equal(kept, image)


def test_mirror_is_drawn_in_both_phases() -> None:
    for phase in ("TRAIN", "TEST"):
        made = transform("mirror: true", phase)
        assert made.draws_per_item == 1
        assert [made.cut(3, 4, Draws([draw])).mirrored for draw in (4, 5)] == [False, True]
    assert transform("crop_size: 3", "TEST").draws_per_item == 0


def test_sizes() -> None:
    assert transform("").item_size(5, 6) == (5, 6)
    assert transform("crop_size: 4").item_size(5, 6) == (4, 4)
    assert transform("crop_size: 9 original_image: true").item_size(5, 6) == (9, 9)


def test_phase_picks_the_crop() -> None:
    text = "crop_size: 4 fix_crop: true"
    assert transform(text, "TEST").cut(10, 10, Draws()).box == Box(3, 3, 4, 4)
    assert transform(text, "TRAIN").cut(12, 12, Draws([3])).box == Box(8, 8, 4, 4)


@pytest.mark.parametrize(
    ("text", "flag"),
    [("", cv2.IMREAD_UNCHANGED), ("force_color: true", cv2.IMREAD_COLOR), ("force_gray: true", cv2.IMREAD_GRAYSCALE)],
)
def test_decode_flags(text: str, flag: int) -> None:
    assert transform(text).decode_flag == flag


def test_refuses_small_images() -> None:
    with pytest.raises(DataError, match=r"^layer: crop_size 8 is larger than the image \(9 x 7\); resize the images"):
        transform("crop_size: 8").item_size(9, 7)


def test_refuses_both_colour_flags() -> None:
    with pytest.raises(FieldError, match=r"^layer: cannot set both force_color and force_gray"):
        transform("force_color: true force_gray: true")


@pytest.mark.parametrize("field", ["multi_scale", "fix_crop", "more_fix_crop", "original_image"])
def test_refuses_crops_without_a_size(field: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer: transform_param.{field} needs crop_size, which is not set"):
        transform(f"{field}: true")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scale_ratios: 1.5", "expected scale_ratios above 0 and up to 1, the whole image; found 1.5"),
        ("scale_ratios: 0", "expected scale_ratios above 0 and up to 1, the whole image; found 0"),
        ("scale_ratios: nan", "expected scale_ratios above 0 and up to 1, the whole image; found nan"),
        ("max_distort: -1", "expected a max_distort from 0 on, found -1"),
    ],
)
def test_refuses_scales_that_are_none(text: str, message: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer: {message}"):
        transform(f"crop_size: 5 multi_scale: true {text}")


@pytest.mark.parametrize(
    ("text", "height", "width", "message"),
    [
        (
            "multi_scale: true scale_ratios: 0.05",
            9,
            11,
            r"the crop has no pixel: 0 x 0 of an image of 9 x 11; take larger",
        ),
        ("original_image: true", 7, 30, r"the crop has no pixel: 0 x 21 of an image of 7 x 30; take larger"),
    ],
)
def test_refuses_crops_of_nothing(text: str, height: int, width: int, message: str) -> None:
    made = transform(f"crop_size: 5 {text}", "TEST" if "original" in text else "TRAIN")
    with pytest.raises(DataError, match=rf"^layer: {message}"):
        made.cut(height, width, Draws([0] * 9))


@pytest.mark.parametrize(
    ("field", "value", "needed"),
    [("scale_ratios", 0.5, "multi_scale"), ("max_distort", 2, "multi_scale"), ("more_fix_crop", "true", "fix_crop")],
)
def test_says_which_fields_change_nothing(
    field: str, value: object, needed: str, caplog: pytest.LogCaptureFixture
) -> None:
    transform(f"crop_size: 5 {field}: {value} {needed}: true")
    assert not caplog.messages
    transform(f"crop_size: 5 {field}: {value}")
    assert caplog.messages == [f"layer: transform_param.{field} changes nothing without {needed}"]


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

"""WindowData."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from caffe_compat.data.sources.window_file import read_window_file
from caffe_compat.data.sources.windows import Finish, Windows
from caffe_compat.data.window_warp import Warp
from caffe_compat.errors import DataError, FieldError
from caffe_compat.proto import caffe_pb2
from tests.data.made_files import picture
from tests.layers.data.made_layers import GOLDENS, assert_resumes, make_layer, take

IMAGE = picture(20, 30)
ERROR = r"^layer 'data' \(WindowData\): "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cv2.imwrite(f"{tmp_path}/one.png", IMAGE)
    windows = "4 0.8 2 3 11 12\n5 0.6 4 4 12 18\n0 0.1 0 0 9 9\n0 0.2 10 5 29 19\n"
    (tmp_path / "windows.txt").write_text(f"# 0\none.png\n3 20 30\n4\n{windows}")
    mean = np.random.default_rng(0).uniform(0, 99, (3, 12, 12)).astype(np.float32)
    blob = caffe_pb2.BlobProto(num=1, channels=3, height=12, width=12, data=mean.ravel())
    (tmp_path / "mean").write_bytes(blob.SerializeToString())
    return tmp_path


def text(folder: Path, window: str = "", transform: str = "crop_size: 8") -> str:
    return (
        f"type: 'WindowData' window_data_param {{ source: '{folder}/windows.txt' root_folder: '{folder}/'"
        f" batch_size: 5 fg_fraction: 0.5 {window} }} transform_param {{ {transform} }}"
    )


def test_samples_background_then_foreground(folder: Path) -> None:
    layer = make_layer(text(folder))
    assert layer.top_shapes() == [(5, 3, 8, 8), (5,)]
    crops = {
        label: [cv2.resize(IMAGE[top : bottom + 1, left : right + 1], (8, 8)) for left, top, right, bottom in boxes]
        for label, boxes in {0: [(0, 0, 9, 9), (10, 5, 29, 19)], 4: [(2, 3, 11, 12)], 5: [(4, 4, 12, 18)]}.items()
    }
    for data, found in take(layer, 4):
        assert found[:3].tolist() == [0, 0, 0]
        assert set(found[3:].tolist()) <= {4, 5}
        for item, label in zip(data, found, strict=True):
            assert any(np.array_equal(item, crop.transpose(2, 0, 1)) for crop in crops[int(label)])


def test_thresholds_decide(folder: Path) -> None:
    layer = make_layer(text(folder, "fg_threshold: 0.7 bg_threshold: 0.15 cache_images: true"))
    assert {label for _, found in take(layer, 4) for label in found[3:].tolist()} == {4}


def test_mean_image_and_scale(folder: Path) -> None:
    mean = np.frombuffer((folder / "mean").read_bytes(), np.uint8)
    blob = caffe_pb2.BlobProto.FromString(mean.tobytes())
    values = np.array(blob.data, np.float32).reshape(3, 12, 12)[:, 2:10, 2:10]
    plain = take(make_layer(text(folder)), 1)[0][0]
    data = take(make_layer(text(folder, "scale: 4", f"crop_size: 8 mean_file: '{folder}/mean'")), 1)[0][0]
    assert np.array_equal(data, (plain - values) * 4)
    data = take(make_layer(text(folder, transform="crop_size: 8 mean_value: 3")), 1)[0][0]
    assert np.array_equal(data, plain - 3)


def test_the_scale_of_transform_param_changes_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = take(make_layer(text(folder, transform="crop_size: 8 scale: 0.5")), 1)[0][0]
    assert np.array_equal(data, take(make_layer(text(folder)), 1)[0][0])
    assert caplog.messages == [
        "layer 'data' (WindowData): transform_param.scale changes nothing here, as in Caffe; "
        "window_data_param.scale counts"
    ]


RECORDED = json.loads((GOLDENS / "bvlc" / "data" / "window" / "cases.json").read_text())


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_windows(tmp_path: Path, name: str) -> None:
    """One window of each kind in a batch leaves a real Caffe nothing to draw: its tops, to the bit."""
    case, record = RECORDED[name], np.load(GOLDENS / "bvlc" / "data" / "window" / "tops.npz")[name]
    image = GOLDENS / "bvlc" / "data" / "window" / "image.png"
    left, top, right, bottom = case["box"]
    windows = "".join(f"{label} {overlap} {left} {top} {right} {bottom}\n" for label, overlap in ((3, 0.9), (2, 0.1)))
    (tmp_path / "windows.txt").write_text(f"# 0\n{image}\n3\n47\n61\n2\n{windows}")
    layer = make_layer(
        f"type: 'WindowData' window_data_param {{ source: '{tmp_path}/windows.txt' batch_size: 2 fg_fraction: 0.5 "
        f"{case['window']} }} transform_param {{ {case['transform']} }}"
    )
    ((data, labels),) = take(layer, 1)
    assert np.array_equal(data, record)
    assert labels.tolist() == [0, 3]


def test_context_square_and_mirror_change_the_items(folder: Path) -> None:
    plain = take(make_layer(text(folder)), 1)[0][0]
    mirrored = take(make_layer(text(folder, transform="crop_size: 8 mirror: true")), 1)[0][0]
    turned = [np.array_equal(one, other[..., ::-1]) for one, other in zip(plain, mirrored, strict=True)]
    kept = [np.array_equal(one, other) for one, other in zip(plain, mirrored, strict=True)]
    assert all(one != other for one, other in zip(turned, kept, strict=True))
    for window in ("context_pad: 2", "crop_mode: 'square'"):
        assert not np.array_equal(take(make_layer(text(folder, window)), 1)[0][0], plain)


def test_every_process_draws_its_own(folder: Path) -> None:
    shares = [make_layer(text(folder), rank=rank, world_size=2) for rank in range(2)]
    tops = [take(layer, 4) for layer in shares]
    assert all(found[:3].tolist() == [0, 0, 0] for share in tops for _, found in share)
    assert any(not np.array_equal(one, other) for (one, _), (other, _) in zip(*tops, strict=True))


def test_resumes(folder: Path) -> None:
    made = text(folder, transform="crop_size: 8 mirror: true")
    assert_resumes(make_layer(made), make_layer(made, seed=8))


@pytest.mark.parametrize(
    ("window", "transform", "message"),
    [
        ("", "", r"transform_param.crop_size must be set: windows are warped to it"),
        ("crop_mode: 'round'", "crop_size: 8", r"expected crop_mode 'warp' or 'square', got 'round'"),
        ("context_pad: 4", "crop_size: 8", r"expected context_pad below half of crop_size 8, got 4"),
        ("", "crop_size: 8 mean_file: 'm' mean_value: 1", r"cannot specify mean_file and mean_value at the same time"),
        (
            "",
            "crop_size: 8 mean_value: 1 mean_value: 2",
            r"specify either 1 mean_value or as many as channels \(3\), got",
        ),
    ],
)
def test_refuses_bad_fields(folder: Path, window: str, transform: str, message: str) -> None:
    with pytest.raises(FieldError, match=ERROR + message):
        make_layer(text(folder, window, transform))


def test_sizes_and_counts_beyond_memory_are_refused_before_they_are_taken(folder: Path) -> None:
    message = r"transform_param.crop_size asks for an image of 100000 x 100000 pixels, above the limit of 100000000"
    with pytest.raises(DataError, match=ERROR + message):
        make_layer(text(folder, transform="crop_size: 100000"))
    source = Windows(
        read_window_file(f"{folder}/windows.txt", 0.5, 0.5, "layer"), 2**32 - 1, 5, Warp(8, 0, False),
        Finish(np.zeros(1, np.float32), 1.0), False, False, "layer",
    )  # fmt: skip
    assert len(source) == 2**32 - 1
    assert source.fetch([0, 2**32 - 7, 2**32 - 6]) == [False, False, True]


def test_refuses_a_mean_image_below_the_crop(folder: Path) -> None:
    with pytest.raises(DataError, match=ERROR + r"mean_file has shape \(3, 12, 12\), too small for crop_size 14"):
        make_layer(text(folder, transform=f"crop_size: 14 mean_file: '{folder}/mean'"))


def test_refuses_a_share_of_objects_outside_0_to_1(folder: Path) -> None:
    with pytest.raises(FieldError, match=ERROR + "expected fg_fraction from 0 to 1, got -inf"):
        make_layer(text(folder).replace("fg_fraction: 0.5", "fg_fraction: -inf"))

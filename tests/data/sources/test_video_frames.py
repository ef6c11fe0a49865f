"""Folders of video frames."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from caffe_compat.data.draws import Draws
from caffe_compat.data.sources.video_frames import Snippets, Video, VideoFrames, read_video_list
from caffe_compat.errors import DataError
from tests.data.made_files import picture, read_picture

FRAMES = 11


@pytest.fixture
def videos(tmp_path: Path) -> str:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for frame in range(1, FRAMES + 1):
            cv2.imwrite(f"{tmp_path}/{name}/image_{frame:04d}.jpg", picture(8, 9, seed=frame))
            for axis in "xy":
                cv2.imwrite(f"{tmp_path}/{name}/flow_{axis}_{frame:04d}.jpg", picture(8, 9, 1, seed=frame * ord(axis)))
    (tmp_path / "list.txt").write_text(f"{tmp_path}/one {FRAMES} 4\n\n{tmp_path}/two 2 5\n")
    return f"{tmp_path}/list.txt"


def frame(videos: str, name: str, gray: bool = False) -> np.ndarray:
    flag = cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR
    frame = read_picture(f"{Path(videos).parent}/one/{name}.jpg", flag)
    assert frame is not None
    return np.atleast_3d(frame)


def test_offsets() -> None:
    snippets = Snippets(3, 2)
    assert snippets.offsets(15, None) == [2, 7, 12]  # segments of 5: 4 places, the middle one of each
    assert snippets.offsets(15, Draws([3, 4, 6])) == [3, 5, 12]
    assert snippets.offsets(5, Draws()) == [0, 0, 0]


def test_rgb_snippets_at_test(videos: str) -> None:
    source = VideoFrames(videos, "layer", Snippets(2, 2), "RGB", train=False)
    assert (len(source), source.draws_per_item) == (2, 0)
    item = source.first()
    expected = [frame(videos, f"image_{number:04d}") for number in (3, 4, 8, 9)]
    assert np.array_equal(item.pixels, np.concatenate(expected, axis=2))
    assert item.label == 4


def test_flow_snippets_at_train(videos: str) -> None:
    source = VideoFrames(videos, "layer", Snippets(1, 2), "FLOW", size=(4, 6))
    item = source.load(source.fetch([0])[0], Draws([13]))  # 10 places: offset 3
    names = ["flow_x_0004", "flow_y_0004", "flow_x_0005", "flow_y_0005"]
    expected = [cv2.resize(frame(videos, name, gray=True), (6, 4)) for name in names]
    assert np.array_equal(item.pixels, np.stack(expected, axis=2))
    assert source.draws_per_item == 1


def test_name_pattern(videos: str) -> None:
    source = VideoFrames(videos, "layer", Snippets(1, 1), "RGB", "flow_x_%04d.jpg", train=False)
    assert source.first().pixels.shape == (8, 9, 3)


@pytest.mark.parametrize(("modality", "pattern"), [("RGB", "image.jpg"), ("RGB", "%04q.jpg"), ("FLOW", "x_%04d.jpg")])
def test_refuses_a_name_pattern_that_takes_no_number(videos: str, modality: str, pattern: str) -> None:
    with pytest.raises(DataError, match=rf"^layer: name_pattern '{pattern}' does not suit {modality}: .* one like '"):
        VideoFrames(videos, "layer", Snippets(1, 1), modality, pattern)


def test_missing_frames_are_named(videos: str) -> None:
    source = VideoFrames(videos, "layer", Snippets(1, 12), "RGB")
    with pytest.raises(DataError, match=r"^layer: '.*list.txt' line 1: could not load '.*/one/image_0012.jpg'"):
        source.first()


def test_lists(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("\nfolder 7 3\n")
    assert read_video_list(f"{tmp_path}/list", "layer") == [Video(2, "folder", 7, 3)]
    (tmp_path / "list").write_text("folder 7\n")
    with pytest.raises(DataError, match=r"^layer: '.*/list' line 1: expected 'folder frames label', found 'folder 7'"):
        read_video_list(f"{tmp_path}/list", "layer")
    (tmp_path / "list").write_text("\n")
    with pytest.raises(DataError, match=r"^layer: file is empty: '.*/list'"):
        read_video_list(f"{tmp_path}/list", "layer")
    with pytest.raises(DataError, match=r"^layer: cannot open video list '.*/none': No such file"):
        read_video_list(f"{tmp_path}/none", "layer")

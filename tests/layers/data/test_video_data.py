"""VideoData."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from caffe_compat.errors import FieldError
from tests.data.made_files import picture
from tests.layers.data.made_layers import assert_resumes, labels, make_layer, take


@pytest.fixture
def source(tmp_path: Path) -> str:
    for video in range(3):
        (tmp_path / str(video)).mkdir()
        for frame in range(1, 8):
            for axis in "xy":
                cv2.imwrite(f"{tmp_path}/{video}/{axis}{frame}.png", picture(6, 7, 1, seed=10 * video + frame))
    (tmp_path / "list.txt").write_text("".join(f"{tmp_path}/{video} 7 {video}\n" for video in range(3)))
    return f"{tmp_path}/list.txt"


def text(source: str, video: str = "", transform: str = "") -> str:
    return (
        f"type: 'VideoData' video_data_param {{ source: '{source}' batch_size: 2 new_length: 2 num_segments: 3"
        f" name_pattern: '%c%d.png' {video} }} transform_param {{ {transform} }}"
    )


def numbers(source: str, batches: int, video: str, seed: int = 5) -> list[float]:
    """The labels of some batches."""
    return labels(make_layer(text(source, video), seed=seed), batches)


def test_snippets_become_channels(source: str) -> None:
    layer = make_layer(text(source, "modality: FLOW new_height: 5 new_width: 4"), "TEST")
    assert layer.top_shapes() == [(2, 12, 5, 4), (2, 1, 1, 1)]
    data, found = take(layer, 1)[0]
    assert found.tolist() == [[[[0]]], [[[1]]]]
    for number, frame in enumerate((1, 2, 3, 4, 5, 6)):
        expected = cv2.resize(picture(6, 7, 1, seed=10 + frame), (4, 5))
        assert np.array_equal(data[1, 2 * number], expected)
        assert np.array_equal(data[1, 2 * number + 1], expected)


def test_shuffle_skip_crop_and_flow(source: str) -> None:
    assert sorted(numbers(source, 3, "shuffle: true encoded: false")) == [0, 0, 1, 1, 2, 2]
    first = {numbers(source, 1, "rand_skip: 2", seed=seed)[0] for seed in range(12)}
    assert first == {0, 1}
    assert make_layer(text(source, transform="crop_size: 4 is_flow: true mirror: true"))()[0].shape == (2, 12, 4, 4)


def test_resumes(source: str) -> None:
    made = text(source, "shuffle: true", "crop_size: 4 mirror: true")
    assert_resumes(make_layer(made), make_layer(made, seed=8))


def test_refuses_empty_snippets(source: str) -> None:
    with pytest.raises(
        FieldError, match=r"^layer 'data' \(VideoData\): num_segments and new_length must be positive, got"
    ):
        make_layer(text(source).replace("num_segments: 3", "num_segments: 0"))


def test_refuses_more_frames_than_anybody_reads(source: str) -> None:
    with pytest.raises(
        FieldError, match=r"^layer 'data' \(VideoData\): expected num_segments times new_length of at most 1"
    ):
        make_layer(text(source).replace("num_segments: 3", "num_segments: 2147483647"))

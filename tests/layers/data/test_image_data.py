"""ImageData: image files."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from caffe_compat.errors import DataError, FieldError
from tests.data.made_files import picture, write_pictures
from tests.layers.data.made_layers import assert_resumes, labels, make_layer, take

PICTURES = [picture(8, 9, seed=number) for number in range(5)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path, PICTURES)
    return tmp_path


def text(folder: Path, batch_size: int = 2, image: str = "", transform: str = "") -> str:
    return (
        f"type: 'ImageData' image_data_param {{ source: '{folder}/list.txt' root_folder: '{folder}/'"
        f" batch_size: {batch_size} {image} }} transform_param {{ {transform} }}"
    )


def test_reads_the_list_in_order(folder: Path) -> None:
    layer = make_layer(text(folder, 2, "new_height: 4 new_width: 6", "mean_value: 5"))
    assert layer.top_shapes() == [(2, 3, 4, 6), (2,)]
    tops = take(layer, 3)
    for number in range(6):
        expected = cv2.resize(PICTURES[number % 5], (6, 4)).transpose(2, 0, 1) - np.float32(5)
        assert np.array_equal(tops[number // 2][0][number % 2], expected)
        assert tops[number // 2][1][number % 2] == 10 + number % 5


def test_grey_images(folder: Path) -> None:
    assert make_layer(text(folder, 2, "is_color: false")).top_shapes()[0] == (2, 1, 8, 9)


def test_shuffle_and_rand_skip(folder: Path) -> None:
    shuffled = labels(make_layer(text(folder, 5, "shuffle: true")), 2)
    assert sorted(shuffled[:5]) == sorted(shuffled[5:]) == [10, 11, 12, 13, 14]
    assert shuffled[:5] != shuffled[5:]
    skipped = {labels(make_layer(text(folder, 1, "rand_skip: 3"), seed=seed), 1)[0] for seed in range(15)}
    assert skipped == {10, 11, 12}


def test_several_labels_an_image(folder: Path) -> None:
    rows = np.random.default_rng(0).integers(-1, 2, (5, 4))
    np.savetxt(folder / "labels.txt", rows, fmt="%d")
    layer = make_layer(text(folder, 5, f"shuffle: true label_source: '{folder}/labels.txt'"))
    assert layer.top_shapes()[1] == (5, 4)
    data, found = take(layer, 1)[0]
    for image, row in zip(data, found, strict=True):
        number = next(n for n, one in enumerate(PICTURES) if np.array_equal(one.transpose(2, 0, 1), image))
        assert np.array_equal(row, rows[number])


def test_resumes(folder: Path) -> None:
    made = text(folder, 3, "shuffle: true rand_skip: 4", "crop_size: 5 mirror: true fix_crop: true multi_scale: true")
    assert_resumes(make_layer(made), make_layer(made, seed=None))


def test_refuses_half_a_size(folder: Path) -> None:
    with pytest.raises(
        FieldError, match=r"^layer 'data' \(ImageData\): new_height and new_width must be set at the same"
    ):
        make_layer(text(folder, 2, "new_height: 4"))


def test_a_broken_image_stops_the_batch_it_is_in(folder: Path) -> None:
    (folder / "a b3.png").write_bytes(b"broken")
    layer = make_layer(text(folder, 2))
    layer()
    with pytest.raises(DataError, match=r"^layer 'data' \(ImageData\): '.*list.txt' line 4: '.*/a b3.png': could not"):
        layer()

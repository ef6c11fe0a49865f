"""Image and label databases that must go together."""

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from caffe_compat.data.sources.datums import Datums, array_to_datum
from caffe_compat.errors import DataError
from caffe_compat.layers.base import Layer
from caffe_compat.layers.data import in_step
from caffe_compat.layers.data.in_step import check_in_step
from tests.data.made_files import picture, raw_lmdb, write_lmdb
from tests.layers.data.made_layers import make_layer

ERROR = r"^layer 'tags' \(Data\) is not in step with the images: "


def data(path: Path, name: str, more: str = "batch_size: 2") -> Layer:
    return make_layer(f"name: '{name}' type: 'Data' data_param {{ source: '{path}' backend: LMDB {more} }}", tops=1)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return raw_lmdb(tmp_path / "images", [picture(4, 5, seed=number) for number in range(3)])


def tags(folder: Path, keys: list[bytes] | None = None, count: int = 3) -> Path:
    return write_lmdb(folder / "tags", [array_to_datum(np.zeros((6, 1, 1)))] * count, keys)


def test_equal_keys_go_together(tmp_path: Path, images: Path) -> None:
    check_in_step([data(images, "images"), data(tags(tmp_path), "tags")])


def test_nets_without_both_are_left_alone(tmp_path: Path, images: Path) -> None:
    check_in_step([])
    check_in_step([data(images, "images")])
    check_in_step([data(tags(tmp_path), "tags")])


def test_two_image_databases_may_differ(tmp_path: Path, images: Path) -> None:
    left = write_lmdb(tmp_path / "left", [array_to_datum(picture(3, 4, 5))] * 2)
    labels = tags(tmp_path)
    check_in_step([data(left, "left"), data(images, "images"), data(labels, "tags")])


def listed(folder: Path, more: str = "batch_size: 2") -> Layer:
    """The images of a list, `0.png` and so on."""
    for number in range(3):
        cv2.imwrite(f"{folder}/{number}.png", picture(4, 5))
    (folder / "list").write_text("0.png 0\n1.png 0\n2.png 0\n")
    source = f"source: '{folder}/list' root_folder: '{folder}/' {more}"
    return make_layer(f"name: 'images' type: 'ImageData' image_data_param {{ {source} }}")


def test_a_list_of_images_goes_with_a_database_of_labels(tmp_path: Path) -> None:
    check_in_step([listed(tmp_path), data(tags(tmp_path), "tags")])


def test_a_list_of_other_images_is_refused(tmp_path: Path) -> None:
    labels = tags(tmp_path, [b"00000000_0.png", b"00000001_9.png", b"00000002_2.png"])
    message = r"record 1 of layer 'images' \(ImageData\) has key '00000001_1.png', of this layer '00000001_9.png'"
    with pytest.raises(DataError, match=ERROR + message):
        check_in_step([listed(tmp_path), data(labels, "tags")])
    message = r"layer 'images' \(ImageData\) has image_data_param.shuffle True, this layer False"
    with pytest.raises(DataError, match=ERROR + message):
        check_in_step([listed(tmp_path, "batch_size: 2 shuffle: true"), data(labels, "tags")])


def test_other_names_are_refused(tmp_path: Path, images: Path) -> None:
    labels = tags(tmp_path, [b"00000000_0.png", b"00000001_9.png", b"00000002_2.png"])
    message = r"record 1 of layer 'images' \(Data\) has key '00000001_1.png', of this layer '00000001_9.png'"
    with pytest.raises(DataError, match=ERROR + message):
        check_in_step([data(images, "images"), data(labels, "tags")])


def test_other_lengths_are_refused(tmp_path: Path, images: Path) -> None:
    with pytest.raises(DataError, match=ERROR + r"layer 'images' \(Data\) has 3 records, this layer 2"):
        check_in_step([data(images, "images"), data(tags(tmp_path, count=2), "tags")])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("batch_size: 3", "batch_size 2, this layer 3"),
        ("batch_size: 2 shuffle: true", "shuffle False, this layer True"),
        ("batch_size: 2 rand_skip: 2", "rand_skip 0, this layer 2"),
    ],
)
def test_other_fields_are_refused(tmp_path: Path, images: Path, more: str, message: str) -> None:
    labels = data(tags(tmp_path), "tags", more)
    with pytest.raises(DataError, match=ERROR + rf"layer 'images' \(Data\) has data_param.{message}"):
        check_in_step([data(images, "images"), labels])


def test_keys_without_names_are_only_warned_of(tmp_path: Path, images: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels = tags(tmp_path, [b"0", b"1", b"2"])
    with caplog.at_level(logging.WARNING, "caffe_compat"):
        check_in_step([data(images, "images"), data(labels, "tags")])
    assert "layer 'images' (Data): its keys ('00000000_0.png') cannot be compared with '0'" in caplog.messages


def test_large_databases_are_sampled(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    key = Datums.key

    def noted(self: Datums, ordinal: int) -> bytes:
        seen.append(ordinal)
        return key(self, ordinal)

    monkeypatch.setattr(Datums, "key", noted)
    monkeypatch.setattr(in_step, "_COMPARED_KEYS", 2)
    check_in_step([data(images, "images"), data(tags(tmp_path), "tags")])
    assert seen == [0, 0, 2, 2]

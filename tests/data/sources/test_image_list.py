"""Image lists."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from caffe_compat.data.draws import Draws
from caffe_compat.data.sources.image_list import ImageList, ListedImage, read_image_list, read_labels
from caffe_compat.errors import DataError
from tests.data.made_files import picture, write_pictures


def test_the_label_stands_after_the_last_space(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a b c.jpg 3\n\nd.png -1  \n")
    assert read_image_list(f"{tmp_path}/list", "layer") == [ListedImage(1, "a b c.jpg", 3), ListedImage(3, "d.png", -1)]


def test_names_need_not_be_utf8(tmp_path: Path) -> None:
    name = b"\xe9t\xe9.png"
    (tmp_path / "list").write_bytes(name + b" 1\n")
    (Path(os.fsdecode(bytes(tmp_path) + b"/" + name))).write_bytes(cv2.imencode(".png", picture(2, 3))[1].tobytes())
    source = ImageList(f"{tmp_path}/list", "layer", f"{tmp_path}/")
    assert source.first().pixels.shape == (2, 3, 3)
    assert source.key(0) == name


def test_images_and_labels(tmp_path: Path) -> None:
    pictures = [picture(4, 5, seed=number) for number in range(3)]
    source = ImageList(str(write_pictures(tmp_path, pictures)), "layer", f"{tmp_path}/")
    assert len(source) == 3
    items = [source.load(record, Draws()) for record in source.fetch([2, 0])]
    assert np.array_equal(items[0].pixels, pictures[2])
    assert [item.label for item in items] == [12, 10]
    assert source.key(1) == b"a b1.png"


def test_size_and_colour(tmp_path: Path) -> None:
    path = str(write_pictures(tmp_path, [picture(4, 5)]))
    source = ImageList(path, "layer", f"{tmp_path}/", (6, 3), colour=False)
    assert source.first().pixels.shape == (6, 3, 1)


def test_several_labels(tmp_path: Path) -> None:
    path = str(write_pictures(tmp_path, [picture(4, 5)] * 2))
    (tmp_path / "labels.txt").write_text("1 0 -1\n0 0.5 1\n")
    labels = read_labels(f"{tmp_path}/labels.txt", "layer")
    source = ImageList(path, "layer", f"{tmp_path}/", labels=labels)
    item = source.load(source.fetch([1])[0], Draws())
    assert np.asarray(item.label).tolist() == [0, 0.5, 1]


def test_blank_lines_do_not_shift_the_labels(tmp_path: Path) -> None:
    write_pictures(tmp_path, [picture(4, 5)] * 2)
    (tmp_path / "list.txt").write_text("\na b0.png 1\n\na b1.png 2\n")
    source = ImageList(f"{tmp_path}/list.txt", "layer", f"{tmp_path}/", labels=np.array([[5.0], [6.0]], np.float32))
    items = [source.load(record, Draws()) for record in source.fetch([0, 1])]
    assert [np.asarray(item.label).tolist() for item in items] == [[5], [6]]


def test_an_image_that_fails_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("\nnone.jpg 3\n")
    source = ImageList(f"{tmp_path}/list", "layer")
    with pytest.raises(DataError, match=r"^layer: '.*/list' line 2: could not load 'none.jpg': No such file"):
        source.first()


@pytest.mark.parametrize("line", ["one.jpg", "one.jpg x", "one.jpg 1.5"])
def test_refuses_lines_without_a_label(tmp_path: Path, line: str) -> None:
    (tmp_path / "list").write_text(f"a 1\n{line}\n")
    with pytest.raises(DataError, match=rf"^layer: '.*/list' line 2: expected 'name label', found '{line}'"):
        read_image_list(f"{tmp_path}/list", "layer")


def test_refuses_a_binary_file(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(bytes(range(256)) * 9)
    with pytest.raises(
        DataError, match=r"^layer: '.*/list' line 1: expected 'name label', found '\\x00\\x01"
    ) as caught:
        read_image_list(f"{tmp_path}/list", "layer")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_refuses_empty_and_missing_lists(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("\n")
    with pytest.raises(DataError, match=r"^layer: file is empty: '.*/list'"):
        read_image_list(f"{tmp_path}/list", "layer")
    with pytest.raises(DataError, match=r"^layer: cannot open image list '.*/none': No such file"):
        read_image_list(f"{tmp_path}/none", "layer")


def test_refuses_label_files_that_do_not_fit(tmp_path: Path) -> None:
    path = str(write_pictures(tmp_path, [picture(4, 5)] * 2))
    with pytest.raises(DataError, match=r"^layer: '.*/list.txt' lists 2 images but label_source has 3 lines"):
        ImageList(path, "layer", labels=np.zeros((3, 4), np.float32))
    (tmp_path / "labels.txt").write_text("1 0\n1 x\n")
    with pytest.raises(DataError, match=r"^layer: label file '.*/labels.txt': could not convert"):
        read_labels(f"{tmp_path}/labels.txt", "layer")
    with pytest.raises(DataError, match=r"^layer: cannot open label file '.*/none': "):
        read_labels(f"{tmp_path}/none", "layer")


@pytest.mark.parametrize(("line", "leads_out"), [
    ("../a.png 1", True), ("b/../../a.png 1", True), ("b/../a.png 1", False), ("/../a.png 1", True),
    ("..a.png 1", False),
])  # fmt: skip
def test_names_do_not_lead_out_of_root_folder(line: str, leads_out: bool, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{line}\n")
    source = ImageList(f"{tmp_path}/list", "layer", f"{tmp_path}/root/")
    words = "leads out of root_folder" if leads_out else "could not load"
    with pytest.raises(DataError, match=words):
        source.first()


def test_labels_beyond_32_bits_are_refused(tmp_path: Path) -> None:
    for label in ("2147483648", "-2147483649", "9" * 5000):
        (tmp_path / "list").write_text(f"a.png {label}\n")
        with pytest.raises(
            DataError, match=r"line 1: expected 'name label', found .* \(expected a whole number of 32 b"
        ):
            read_image_list(f"{tmp_path}/list", "layer")


def test_check_decodes_every_image(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((2, 3, 3), np.uint8))
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    (tmp_path / "list").write_text("a.png 0\nb.png 1\n")
    source = ImageList(f"{tmp_path}/list", "layer", f"{tmp_path}/")
    source.first()
    with pytest.raises(DataError, match=r"line 2: '.*b.png': could not decode the image"):
        source.check()

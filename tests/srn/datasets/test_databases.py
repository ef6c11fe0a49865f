import tracemalloc

import cv2
import lmdb
import numpy as np
import pytest

from caffe_compat.data.sources.datums import parse_datum
from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.datasets.databases import write_image_database, write_label_database


def records(path):
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return [(bytes(key).decode(), parse_datum(value, "record")) for key, value in transaction.cursor()]


@pytest.fixture
def files(tmp_path):
    """An image list and its labels."""
    (tmp_path / "list.txt").write_text("b.png 2\nsub/a.png 0\n")
    (tmp_path / "labels.txt").write_text("0 1 1 0 0\n0 0 0 0 0\n")
    return tmp_path


def test_label_records_are_those_of_the_released_program(files):
    assert write_label_database(files / "labels.txt", files / "list.txt", files / "lmdb") == 2

    (first_key, first), (second_key, second) = records(files / "lmdb")
    assert (first_key, second_key) == ("00000000_b.png", "00000001_sub/a.png")
    assert (first.channels, first.height, first.width, first.label) == (5, 1, 1, 2)
    assert list(first.float_data) == [0, 1, 1, 0, 0]
    assert not first.data
    assert (second.label, list(second.float_data)) == (0, [0] * 5)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ("0 1 1 0 0\n", ShapeError, r"^.*labels.txt: expected 2 lines, as .*list.txt lists images, found 1"),
        ("0 1 1 0 0\n0 0 0 0 0\n\n0 0 0 0 1\n", ShapeError, r"^.*labels.txt: expected 2 lines, as .*, found 3; both"),
        ("", ShapeError, r"^.*labels.txt: expected 2 lines, as .*list.txt lists images, found 0"),
        ("0 1 1 0 0\n0 0 0 0\n", DataError, r"^.*labels.txt, line 2: expected 5 numbers, as in the first .*found 4"),
        ("0 1 1 0 0\n0 x 0 0 0\n", DataError, r"^.*line 2, column 2: expected a label of 1, 0 or -1, found x; if"),
        ("0 1 0 0 0\n0 0 0 0 0\n", DataError, r"^.*line 1: expected 2 labels that are 1, as .* of 'b.png', found 1"),
        ("0 1 1 0 0\n0 -1 0 0 0\n", DataError, r"^.*line 2: a net is trained on labels 0 and 1, found -1; write"),
    ],
)
def test_labels_that_do_not_fit_the_list_are_refused(files, labels, error, message):
    (files / "labels.txt").write_text(labels)
    with pytest.raises(error, match=message):
        write_label_database(files / "labels.txt", files / "list.txt", files / "lmdb")
    assert not (files / "lmdb").exists()


def test_memory_does_not_grow_with_the_files(tmp_path):
    rows, classes = 3000, 200
    (tmp_path / "labels.txt").write_text(("1 " + "0 " * (classes - 1) + "\n") * rows)
    (tmp_path / "list.txt").write_text("".join(f"{'n' * 60}{number}.jpg 1\n" for number in range(rows)))
    tracemalloc.start()
    assert write_label_database(tmp_path / "labels.txt", tmp_path / "list.txt", tmp_path / "lmdb") == rows
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000  # the labels alone are 600,000 bytes at one a label


def test_labels_may_be_real_numbers_with_commas_and_windows_line_ends(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"1.0, 0.000e+00,1\r\n0,0,0\r\n")
    (tmp_path / "list.txt").write_bytes("a name.jpg 2\r\nä\u2028b.jpg 0\r\n".encode())
    write_label_database(tmp_path / "labels.txt", tmp_path / "list.txt", tmp_path / "lmdb")
    (first_key, first), (second_key, _) = records(tmp_path / "lmdb")
    assert (first_key, list(first.float_data)) == ("00000000_a name.jpg", [1, 0, 1])
    assert second_key == "00000001_ä\u2028b.jpg"


def test_image_records_carry_the_files_as_they_are(files):
    (files / "sub").mkdir()
    for name, size in (("b.png", (5, 7, 3)), ("sub/a.png", (4, 6, 3))):
        cv2.imwrite(str(files / name), np.arange(np.prod(size), dtype=np.uint8).reshape(size))

    assert write_image_database(f"{files}/", files / "list.txt", files / "lmdb") == 2

    (key, datum), (_, second) = records(files / "lmdb")
    assert (key, datum.label, datum.encoded) == ("00000000_b.png", 2, True)
    assert datum.data == (files / "b.png").read_bytes()
    assert second.data == (files / "sub" / "a.png").read_bytes()


def test_images_that_are_missing_or_broken_are_errors(files):
    with pytest.raises(DataError, match=r"^image list: cannot read the image '.*b.png': No such file or directory$"):
        write_image_database(f"{files}/", files / "list.txt", files / "lmdb")
    (files / "b.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"^.*b.png: could not decode the image"):
        write_image_database(f"{files}/", files / "list.txt", files / "lmdb")
    assert not (files / "lmdb").exists()

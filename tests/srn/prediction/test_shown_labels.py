from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.prediction.shown_labels import TrueLabels, choose_labels, find_labels

NAMES = ["cat", "dog", "7", "traffic light"]


def test_labels_by_name_or_number() -> None:
    assert find_labels(["traffic light", "0", "7"], NAMES, "--labels") == [3, 0, 2]


@pytest.mark.parametrize("text", ["4", "-1", "dgo", "9" * 40])
def test_a_label_that_is_not_there(text: str) -> None:
    with pytest.raises(DataError, match=r"^--true: expected names of labels or numbers from 0 to 3, found '"):
        find_labels([text], NAMES, "--true")


def test_true_labels_come_first() -> None:
    scores = np.array([0.1, 3.0, -2.0, 2.0, 0.5], np.float32)
    assert choose_labels(scores, {2, 4}, 4) == [4, 2, 1, 3]
    assert choose_labels(scores, (), 2) == [1, 3]


@pytest.fixture
def folder(tmp_path):
    for split, names, labels in (
        ("train", "a/1.jpg 1\nb/1.jpg 2\n", "1 0\n1 1\n"),
        ("test", "my cat.jpg 1\n", "0 1\n"),
    ):
        (tmp_path / f"{split}_imglist.txt").write_text(names)
        (tmp_path / f"{split}_labels.txt").write_text(labels)
    return tmp_path


def test_an_image_is_found_by_the_end_of_its_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = TrueLabels(folder)
    assert truth.of("/photos/a/1.jpg") == {0}
    assert truth.of("photos/b/1.jpg") == {0, 1}
    assert truth.of("somewhere/my cat.jpg") == {1}
    assert truth.of("1.jpg") == truth.of("/other/1.jpg") == frozenset()


def test_folders_that_were_not_prepared_whole(folder: Path, tmp_path: Path) -> None:
    (folder / "test_labels.txt").write_text("0 1\n1 1\n")
    with pytest.raises(DataError, match=r"test_labels.txt: expected 1 lines, as .*test_imglist.txt lists images"):
        TrueLabels(folder)
    with pytest.raises(DataError, match=r"none: expected image lists such as test_imglist.txt, found"):
        TrueLabels(tmp_path / "none")

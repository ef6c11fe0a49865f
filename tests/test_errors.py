"""Names that do not exist: the nearest one that does."""

import pytest

from caffe_compat.errors import did_you_mean, nearest


@pytest.mark.parametrize(("name", "near"), [("Trian", "train"), ("zzz", None), ("test", "test")])
def test_nearest(name: str, near: str | None) -> None:
    assert nearest(name, ["train", "test"]) == near


@pytest.mark.parametrize(
    ("name", "known", "end"),
    [
        ("Conv1", ["conv1", "conv2"], "did you mean 'conv1'?"),
        ("x", ["conv1", "y"], "known: conv1, y"),
        ("x", [], "known: none"),
    ],
)
def test_the_end_of_a_message(name: str, known: list[str], end: str) -> None:
    assert did_you_mean(name, known) == end

"""Window files."""

from pathlib import Path

import pytest

from caffe_compat.data.sources.window_file import Window, WindowedImage, read_window_file
from caffe_compat.errors import DataError

TEXT = """# 0
one.jpg
3
20
30
3
5 0.9 1 2 3 4
6 0.5 5 6 7 8
7 0.3 1 1 2 2
# 4
two.jpg 3 20 30
1
8 0.1 9 9 10 11
"""


def write(folder: Path, text: str) -> str:
    (folder / "windows.txt").write_text(text)
    return f"{folder}/windows.txt"


def test_sorts_windows_by_overlap(tmp_path: Path) -> None:
    found = read_window_file(write(tmp_path, TEXT), 0.5, 0.25, "layer", "root/")
    assert found.images == {0: WindowedImage("root/one.jpg", 3), 4: WindowedImage("root/two.jpg", 3)}
    assert found.foreground == [Window(0, 5, 0.9, 1, 2, 3, 4), Window(0, 6, 0.5, 5, 6, 7, 8)]
    assert found.background == [Window(4, 0, 0.0, 9, 9, 10, 11)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("x 0 one.jpg", r", image 0: expected '#', found 'x'"),
        (TEXT + "# 5 three.jpg", r", image 2: the file ends in the middle"),
        ("# 0 a.jpg 3 4 5 1 0 0.9 1 2 3 4", r", image 1: a foreground window needs a label above 0, found 0"),
        ("# 0 a.jpg 3 4 5 one", r", image 1: invalid literal for int"),
    ],
)
def test_refuses_bad_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"^layer: window file '.*/windows.txt'( )?{message}"):
        read_window_file(write(tmp_path, text), 0.5, 0.5, "layer")


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"^layer: failed to open window file '{tmp_path}/none': No such file"):
        read_window_file(f"{tmp_path}/none", 0.5, 0.5, "layer")

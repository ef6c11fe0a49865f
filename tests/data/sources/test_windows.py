"""Random windows as a source."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from caffe_compat.data.draws import Draws
from caffe_compat.data.sources.window_file import Window, WindowedImage, WindowFile
from caffe_compat.data.sources.windows import Finish, Windows
from caffe_compat.data.window_warp import Warp
from caffe_compat.errors import DataError
from tests.data.made_files import picture

FOREGROUND = Window(3, 7, 0.9, 2, 3, 11, 12)
BACKGROUND = Window(3, 0, 0.0, 0, 5, 9, 14)
IMAGE = picture(20, 30)


def windows(folder: Path, cache_images: bool = False, **changed: Any) -> Windows:
    cv2.imwrite(f"{folder}/one.png", IMAGE)
    heaps = {"foreground": [FOREGROUND], "background": [BACKGROUND, BACKGROUND], **changed}
    file = WindowFile({3: WindowedImage(f"{folder}/one.png", 3)}, **heaps)
    mean = np.array([1, 2, 3], np.float32)
    return Windows(file, 5, 2, Warp(10, 2), Finish(mean, 0.5), True, cache_images, "layer")


def test_background_comes_first(tmp_path: Path) -> None:
    source = windows(tmp_path)
    assert len(source) == 5
    assert source.fetch(range(5)) == [False, False, False, True, True]
    assert [source.load(record, Draws([5, 0])).label for record in (False, True)] == [0, 7]


@pytest.mark.parametrize("mirrored", [0, 1])
def test_takes_the_mean_off_and_leaves_the_padding_zero(tmp_path: Path, mirrored: int) -> None:
    item = windows(tmp_path).load(False, Draws([0, mirrored])).pixels
    # Columns -3 to 13 about 5 (half side 5, grown by 10/6): 3 of 17 outside, 2 of 10 pixels.
    inside = cv2.resize(IMAGE[2:19, 0:14], (8, 10)).astype(np.float32)
    place = slice(0, 8) if mirrored else slice(2, 10)
    expected = (inside[:, ::-1] if mirrored else inside) - np.array([1, 2, 3], np.float32)
    assert np.array_equal(item[:, place], expected * np.float32(0.5))
    assert not item[:, 8:10].any() if mirrored else not item[:, :2].any()


def test_cached_images_are_read_once(tmp_path: Path) -> None:
    kept, fresh = windows(tmp_path, cache_images=True), windows(tmp_path)
    before = kept.load(True, Draws([0, 0])).pixels
    (tmp_path / "one.png").unlink()
    assert np.array_equal(kept.load(True, Draws([0, 0])).pixels, before)
    with pytest.raises(DataError, match=r"^layer: could not load '.*/one.png': No such file"):
        fresh.load(True, Draws([0, 0]))


@pytest.mark.parametrize("heap", ["foreground", "background"])
def test_refuses_empty_heaps(tmp_path: Path, heap: str) -> None:
    empty: dict[str, Any] = {heap: []}
    with pytest.raises(DataError, match=rf"^layer: the window file has no {heap} windows; change the thresholds or fg"):
        windows(tmp_path, **empty)

"""Warped windows, against the steps of window_data_layer.cpp done by hand."""

import cv2
import numpy as np
import pytest

from caffe_compat.data.sources.window_file import Window
from caffe_compat.data.window_warp import Warp, warp_window
from caffe_compat.errors import DataError
from tests.data.made_files import picture

IMAGE = picture(20, 30)


def window(left: int, top: int, right: int, bottom: int) -> Window:
    return Window(0, 1, 0.7, left, top, right, bottom)


@pytest.mark.parametrize("mirrored", [False, True])
def test_warps_a_window_to_the_size(mirrored: bool) -> None:
    placed = warp_window(IMAGE, window(3, 4, 12, 18), Warp(8), mirrored, "layer")
    expected = cv2.resize(IMAGE[4:19, 3:13], (8, 8))
    assert np.array_equal(placed.pixels, expected[:, ::-1] if mirrored else expected)
    assert (placed.top, placed.left) == (0, 0)


def test_context_stays_around_the_window() -> None:
    # 6 of 10 pixels for the window: its half sides 4.5 and 3 grow by 10/6 to 7.5 and 5.
    placed = warp_window(IMAGE, window(10, 8, 18, 13), Warp(10, context_pad=2), False, "layer")
    assert np.array_equal(placed.pixels, cv2.resize(IMAGE[6:17, 7:23], (10, 10)))


@pytest.mark.parametrize(("mirrored", "left", "columns"), [(False, 3, 7), (True, 0, 8)])
def test_what_lies_outside_is_padding(mirrored: bool, left: int, columns: int) -> None:
    # Grown by 10/6 about (2.5, 10): columns -3 to 8, 3 of 12 outside: 2.5 of 10 pixels, and 7.5 for the rest. Both
    # round up; where the padding comes first, the picture loses a column.
    placed = warp_window(IMAGE, window(-1, 6, 5, 13), Warp(10, context_pad=2), mirrored, "layer")
    assert (placed.top, placed.left) == (0, left)
    assert placed.pixels.shape == (10, columns, 3)


def test_square_grows_the_shorter_side() -> None:
    placed = warp_window(IMAGE, window(10, 8, 17, 11), Warp(6, square=True), False, "layer")
    # Half sides 4 and 2 become 4 and 4 about (14, 10): columns 10 to 18, rows 6 to 14.
    assert np.array_equal(placed.pixels, cv2.resize(IMAGE[6:15, 10:19], (6, 6)))


def test_refuses_windows_outside_the_image() -> None:
    with pytest.raises(DataError, match=r"^layer: window \(3, 4, 30, 18\) lies outside the image \(30 x 20\)"):
        warp_window(IMAGE, window(3, 4, 30, 18), Warp(8), False, "layer")


@pytest.mark.parametrize(
    ("box", "words"),
    [((5, 5, 4, 6), "ends before it begins; expected x1 y1 x2 y2"), ((5, 5, 6, 3), "ends before it begins")],
)
def test_refuses_windows_without_pixels(box: tuple[int, int, int, int], words: str) -> None:
    with pytest.raises(DataError, match=rf"^x: window \({', '.join(map(str, box))}\) {words}"):
        warp_window(np.zeros((9, 9, 3), np.uint8), Window(0, 1, 0.9, *box), Warp(8, 0, square=False), False, "x")


def test_refuses_windows_that_rounding_leaves_without_pixels() -> None:
    with pytest.raises(DataError, match=r"^x: window \(0, 0, 0, 8\) has no pixels in an item of 3 pixels"):
        warp_window(np.zeros((9, 1, 3), np.uint8), Window(0, 1, 0.9, 0, 0, 0, 8), Warp(3, 0, square=True), False, "x")

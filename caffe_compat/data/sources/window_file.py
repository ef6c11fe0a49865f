"""Window files of R-CNN (window_data_layer.cpp): images with boxes, separated by their overlap with objects."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from caffe_compat.data.regular_file import open_text
from caffe_compat.data.whole_number import int32
from caffe_compat.errors import DataError

_FIELDS_OF_A_WINDOW = 6


class WindowedImage(NamedTuple):
    """An image in which windows lie, with its number of channels."""

    path: str
    channels: int


class Window(NamedTuple):
    """A box in pixels, with both ends included, and its class."""

    image: int
    label: int
    overlap: float
    left: int
    top: int
    right: int
    bottom: int


class WindowFile(NamedTuple):
    """The content of a window file: images, foreground windows and background windows."""

    images: dict[int, WindowedImage]
    foreground: list[Window]
    background: list[Window]


def read_window_file(path: str, foreground: float, background: float, owner: str, root_folder: str = "") -> WindowFile:
    """Reads a window file; DataError for a damaged one.

    Each image has lines `# index`, path, channels, height, width and number of windows, then a line `label overlap x1
    y1 x2 y2` per window. Windows that overlap an object by at least `foreground` are examples of its class. Windows
    below `background` are examples of class 0; those in between are ignored.
    """
    with open_text(path, owner, "failed to open window file") as file:
        words = iter(file.read().split())
    found = WindowFile({}, [], [])
    try:
        for mark in words:
            _read_image(mark, words, found, (foreground, background), root_folder)
    except ValueError as error:
        words_of = ascii(str(error))[1:-1][:200]
        raise DataError(f"{owner}: window file '{path}', image {len(found.images)}: {words_of}") from error
    if not found.images:
        raise DataError(f"{owner}: window file '{path}' is empty")
    return found


def _read_image(
    mark: str, words: Iterator[str], found: WindowFile, thresholds: tuple[float, float], root_folder: str
) -> None:
    if mark != "#":
        raise ValueError(f"expected '#', found {mark[:40]!a}")
    index, path, channels, _height, _width, windows = _take(words, 6)
    found.images[int32(index)] = WindowedImage(root_folder + path, int32(channels))
    count = int32(windows)
    if count < 0:
        raise ValueError(f"expected a number of windows, found {count}")
    for _ in range(count):
        label, overlap, *box = _take(words, _FIELDS_OF_A_WINDOW)
        _sort(Window(int32(index), int32(label), float(overlap), *map(int32, box)), found, *thresholds)


def _take(words: Iterator[str], count: int) -> list[str]:
    taken = list(islice(words, count))
    if len(taken) < count:
        raise ValueError("the file ends in the middle")
    return taken


def _sort(window: Window, found: WindowFile, foreground: float, background: float) -> None:
    if window.overlap >= foreground:
        if window.label < 1:
            raise ValueError(f"a foreground window needs a label above 0, found {window.label}")
        found.foreground.append(window)
    elif window.overlap < background:
        found.background.append(window._replace(label=0, overlap=0.0))

"""Lists of image files with labels (image_data_layer.cpp), and separate label files."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.draws import Draws
from caffe_compat.data.regular_file import open_text, shown
from caffe_compat.data.sources.image_file import read_image
from caffe_compat.data.sources.source import Item, Source
from caffe_compat.data.whole_number import int32
from caffe_compat.errors import DataError

Entry = TypeVar("Entry")

#: Placeholder for root_folder while the `..` of a name are resolved.
_HERE = "root"


class ListedImage(NamedTuple):
    """A line of an image list: line number from 1, file name under root_folder, and label."""

    line: int
    name: str
    label: int


def read_image_list(path: str, owner: str) -> list[ListedImage]:
    """The lines `name label` of a list; the label follows the last space, so names may contain spaces."""
    return read_list(path, owner, "image", _parse)


def read_list(path: str, owner: str, kind: str, parse: Callable[[str, int, str, str], Entry]) -> list[Entry]:
    """Returns what `parse` makes of each line, its number from 1, the path and the owner; empty lines are passed over.

    DataError, which begins with `owner`, where the list of `kind` cannot be opened or is empty.
    """
    with open_text(path, owner, f"cannot open {kind} list") as lines:
        entries = [parse(line, number, path, owner) for number, line in enumerate(lines, 1) if line.strip()]
    if not entries:
        raise DataError(f"{owner}: file is empty: '{path}'")
    return entries


def _parse(line: str, number: int, path: str, owner: str) -> ListedImage:
    name, _, label = line.rstrip().rpartition(" ")
    try:
        return ListedImage(number, name, int32(label))
    except ValueError as error:
        reason = f" ({error})" if "32 bits" in str(error) else ""
        raise DataError(
            f"{owner}: '{path}' line {number}: expected 'name label', found {line.rstrip()[:80]!a}{reason}"
        ) from error


def read_labels(path: str, owner: str) -> NDArray[np.float32]:
    """The labels in a text file with one line of numbers per image: float32 (images, labels)."""
    try:
        with open_text(path, owner, "cannot open label file") as lines:
            return np.loadtxt(lines, np.float32, ndmin=2)
    except ValueError as error:
        raise DataError(f"{owner}: label file '{path}': {ascii(str(error))[1:-1][:200]}") from error


class ImageList(Source[int]):
    """The images of a list; an array `labels` (images, labels) replaces the list's own labels."""

    def __init__(
        self,
        path: str,
        owner: str,
        root_folder: str = "",
        size: tuple[int, int] = (0, 0),
        colour: bool = True,
        labels: NDArray[np.float32] | None = None,
    ) -> None:
        self._path = path
        self._owner = owner
        self._root = root_folder
        self._size = size
        self._flag = cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE
        self._images = read_image_list(path, owner)
        self._labels = labels
        if labels is not None and len(labels) != len(self._images):
            raise DataError(
                f"{owner}: '{path}' lists {len(self._images)} images but label_source has {len(labels)} lines"
            )

    def __len__(self) -> int:
        return len(self._images)

    def fetch(self, ordinals: Sequence[int]) -> list[int]:
        """The record numbers unchanged, because the list is in memory."""
        return list(ordinals)

    def load(self, record: int, draws: Draws) -> Item:
        """The resized image with its label or labels."""
        image = self._images[record]
        owner = f"{self._owner}: '{self._path}' line {image.line}"
        pixels = read_image(self._root + self._inside(image.name, owner), self._flag, owner, *self._size)
        return Item(pixels, float(image.label) if self._labels is None else self._labels[record])

    def _inside(self, name: str, owner: str) -> str:
        """The file name; DataError if its `..` lead out of root_folder."""
        if self._root and ".." in name and os.path.normpath(f"/{_HERE}/{name}").split("/")[1] != _HERE:
            raise DataError(f"{owner}: '{shown(name)}' leads out of root_folder '{self._root}'; "
                            "name a folder that holds all images as root_folder")  # fmt: skip
        return name

    def key(self, ordinal: int) -> bytes:
        """The file name of the image with this number."""
        return self._images[ordinal].name.encode(errors="surrogateescape")

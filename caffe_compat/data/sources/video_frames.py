"""Reads folders of video frames (the SRN fork's video_data_layer.cpp and io.cpp)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.draws import Draws
from caffe_compat.data.sources.image_file import read_image
from caffe_compat.data.sources.image_list import read_list
from caffe_compat.data.sources.source import Item, Source
from caffe_compat.data.whole_number import int32
from caffe_compat.errors import DataError

#: Default name_pattern of frame files by modality; frames count from 1.
NAME_PATTERNS = {"RGB": "image_%04d.jpg", "FLOW": "flow_%c_%04d.jpg"}
Pixels = NDArray[Any]
#: Largest number of frames per item, whose channels must fit into memory together.
_MOST_FRAMES = 10_000


class Video(NamedTuple):
    """A line of the list: line number from 1, folder, number of frames and label."""

    line: int
    folder: str
    length: int
    label: int


class Snippets(NamedTuple):
    """The frames of an item: `length` successive frames from each of `segments` equal parts of a video."""

    segments: int
    length: int

    def offsets(self, frames: int, draws: Draws | None) -> list[int]:
        """The number of frames before each snippet: random, or the middle of the segment if `draws` is None (TEST)."""
        average = frames // self.segments
        free = average - self.length + 1
        if free < 1:
            return [0] * self.segments
        if draws is None:
            return [free // 2 + segment * average for segment in range(self.segments)]
        return [draws.below(free) + segment * average for segment in range(self.segments)]


class VideoFrames(Source[Video]):
    """Frames of an item as channels: 3 per frame (RGB), or x and y alternating (FLOW)."""

    def __init__(
        self,
        path: str,
        owner: str,
        snippets: Snippets,
        modality: str,
        name_pattern: str = "",
        size: tuple[int, int] = (0, 0),
        train: bool = True,
    ) -> None:
        self._path = path
        self._owner = owner
        self._snippets = snippets
        self._pattern = name_pattern or NAME_PATTERNS[modality]
        self._require_placeholders(modality)
        if snippets.segments * snippets.length > _MOST_FRAMES:
            raise DataError(
                f"{owner}: num_segments {snippets.segments} times new_length {snippets.length}: expected at most "
                f"{_MOST_FRAMES} frames per item"
            )
        self._size = size
        self._train = train
        self._read: Callable[[Video, int], list[Pixels]] = {"RGB": self._read_rgb, "FLOW": self._read_flow}[modality]
        self.draws_per_item = snippets.segments if train else 0
        self._videos = read_video_list(path, owner)

    def __len__(self) -> int:
        return len(self._videos)

    def fetch(self, ordinals: Sequence[int]) -> list[Video]:
        """The lines of the list with these numbers."""
        return [self._videos[ordinal] for ordinal in ordinals]

    def load(self, record: Video, draws: Draws) -> Item:
        """All frames of the item, and its label."""
        offsets = self._snippets.offsets(record.length, draws if self._train else None)
        frames = [offset + number for offset in offsets for number in range(1, self._snippets.length + 1)]
        pixels = np.concatenate([image for frame in frames for image in self._read(record, frame)], axis=2)
        return Item(pixels, float(record.label))

    def _require_placeholders(self, modality: str) -> None:
        numbers = {"RGB": 1, "FLOW": ("x", 1)}[modality]
        try:
            self._pattern % numbers
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{self._owner}: name_pattern '{self._pattern}' does not suit {modality}: {error}; "
                f"expected one like '{NAME_PATTERNS[modality]}'"
            ) from error

    def _read_rgb(self, video: Video, frame: int) -> list[Pixels]:
        return [self._read_frame(video, self._pattern % frame, cv2.IMREAD_COLOR)]

    def _read_flow(self, video: Video, frame: int) -> list[Pixels]:
        return [self._read_frame(video, self._pattern % (axis, frame), cv2.IMREAD_GRAYSCALE) for axis in "xy"]

    def _read_frame(self, video: Video, name: str, flag: int) -> Pixels:
        owner = f"{self._owner}: '{self._path}' line {video.line}"
        return read_image(f"{video.folder}/{name}", flag, owner, *self._size)


def read_video_list(path: str, owner: str) -> list[Video]:
    """The lines `folder frames label` of a list."""
    return read_list(path, owner, "video", _parse)


def _parse(line: str, number: int, path: str, owner: str) -> Video:
    try:
        folder, length, label = line.split()
        return Video(number, folder, int32(length), int32(label))
    except ValueError as error:
        raise DataError(
            f"{owner}: '{path}' line {number}: expected 'folder frames label', found {line.rstrip()[:80]!a}"
        ) from error

"""Random choices of a data layer: order of records, random numbers, crops (data_transformer.cpp, SRN fork included).

Random numbers depend only on the seed and on an item's position in the data. In Caffe, the prefetch thread draws from a
single generator, so results depend on when the thread runs. Here each batch has its own generator, keyed by (seed,
layer, position). Any number of workers therefore draws the same numbers, and the position is the only state to save.
A crop is a function of (height, width, draws), in pixels, that returns a Box.
"""

import math
import secrets
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_RANGE = 2**32


class Draws:
    """The random numbers of an item, used in order."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._numbers = iter(numbers)

    def below(self, count: int) -> int:
        """An integer in [0, count), computed by a remainder like DataTransformer::Rand."""
        return next(self._numbers) % count

    def uniform(self, low: float, high: float) -> float:
        """A real number in [low, high)."""
        return low + (high - low) * (next(self._numbers) / _RANGE)


class DrawsByPlace:
    """Makes the draws of a batch from the position of its first item."""

    def __init__(self, seed: int, name: str, per_item: int) -> None:
        self.seed = seed
        self._name = zlib.crc32(name.encode())
        self._per_item = per_item

    def batch(self, place: int, size: int) -> list[Draws]:
        """The draws of `size` items, beginning at position `place`."""
        if not self._per_item:
            return [Draws()] * size
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, self._name, place))))
        return [Draws(row) for row in generator.integers(_RANGE, size=(size, self._per_item)).tolist()]


def fresh_seed() -> int:
    """A seed from the operating system, for nets without random_seed."""
    return secrets.randbits(62)


Ordinals = NDArray[np.int64]


class Order:
    """Record numbers by position: a function of (seed, length, position), so that only the position must be saved.

    Layers with equal length and seed get equal permutations. An image source and its label source therefore stay in
    step when shuffled, in every process and after every resume.
    """

    def __init__(
        self, length: int, seed: int = 0, shuffle: bool = False, rank: int = 0, world_size: int = 1, skip: int = 0
    ) -> None:
        self._length = length
        self.seed = seed
        self._shuffle = shuffle
        self._rank = rank
        self._world_size = world_size
        self.skip = skip

    def place(self, item: int) -> int:
        """The position of this process's item in the endless sequence that all processes share round-robin."""
        return self.skip + item * self._world_size + self._rank

    def ordinals(self, first: int, count: int) -> list[int]:
        """The record numbers of this process's items first, first + 1, ..., `count` of them."""
        places = self.skip + np.arange(first, first + count, dtype=np.int64) * self._world_size + self._rank
        epochs, within = np.divmod(places, self._length)
        if not self._shuffle:
            return list(within.tolist())
        for epoch in np.unique(epochs).tolist():
            now = epochs == epoch
            within[now] = permutation(self._length, self.seed, epoch)[within[now]]
        return list(within.tolist())


@lru_cache(maxsize=4)  # image and label layers share an array; a batch across an epoch's end needs two
def permutation(length: int, *seed: int) -> Ordinals:
    """All numbers below `length` in a seeded random order; ten million take 40 MB and under a second."""
    kind = np.uint32 if length < 2**32 else np.int64
    return np.random.default_rng(seed).permutation(np.arange(length, dtype=kind))


def random_skip(limit: int, seed: int) -> int:
    """The number of records that rand_skip skips, below `limit`; layers with equal seeds skip equally many."""
    return int(np.random.default_rng((seed, limit)).integers(limit)) if limit else 0


DEFAULT_SCALE_RATIOS = (1.0, 0.875, 0.75, 0.66)
#: A multi-scale side within this distance of crop_size becomes crop_size, which saves a resize.
SNAP_PIXELS = 2
# Crop positions (height, width), in quarters of the free space: corners and centre; then side middles, quarter points.
_FIXED = ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2))
_MORE_FIXED = (*_FIXED, (0, 2), (4, 2), (2, 0), (2, 4), (1, 1), (1, 3), (3, 1), (3, 3))
_ATTEMPTS = 10
_DRAWS_PER_ATTEMPT = 2


class Box(NamedTuple):
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


Crop = Callable[[int, int, Draws], Box]


def whole(height: int, width: int, draws: Draws) -> Box:
    """The Box of the whole image."""
    return Box(0, 0, height, width)


@dataclass(frozen=True)
class CentreCrop:
    """The centre crop of phase TEST."""

    size: int

    def __call__(self, height: int, width: int, draws: Draws) -> Box:
        return Box((height - self.size) // 2, (width - self.size) // 2, self.size, self.size)


@dataclass(frozen=True)
class TrainCrop:
    """A crop at a random position or at one of the fork's 5 or 13 fixed ones; its size is crop_size or a drawn size."""

    size: int
    multi_scale: bool = False
    scale_ratios: tuple[float, ...] = ()
    max_distort: int = 1
    fix_crop: bool = False
    more_fix_crop: bool = False

    def __call__(self, height: int, width: int, draws: Draws) -> Box:
        crop_height, crop_width = self._size(height, width, draws)
        top, left = self._offset(height - crop_height, width - crop_width, draws)
        return Box(top, left, crop_height, crop_width)

    def _size(self, height: int, width: int, draws: Draws) -> tuple[int, int]:
        if not self.multi_scale:
            return self.size, self.size
        ratios = self.scale_ratios or DEFAULT_SCALE_RATIOS
        sizes = multi_scale_sizes(min(height, width), self.size, ratios, self.max_distort)
        return sizes[draws.below(len(sizes))]

    def _offset(self, free_height: int, free_width: int, draws: Draws) -> tuple[int, int]:
        if not self.fix_crop:
            return draws.below(free_height + 1), draws.below(free_width + 1)
        places = _MORE_FIXED if self.more_fix_crop else _FIXED
        down, right = places[draws.below(len(places))]
        return down * (free_height // 4), right * (free_width // 4)


@lru_cache(maxsize=1024)
def multi_scale_sizes(
    short_side: int, crop_size: int, ratios: tuple[float, ...], max_distort: int
) -> tuple[tuple[int, int], ...]:
    """The (height, width) pairs from which multi_scale draws: indices of their ratios differ by at most max_distort.

    Duplicate pairs are kept, because they are drawn more often.
    """
    sides = [_snap(int(np.float32(short_side) * np.float32(ratio)), crop_size) for ratio in ratios]
    return tuple(
        (height, width) for i, height in enumerate(sides) for j, width in enumerate(sides) if abs(i - j) <= max_distort
    )


def _snap(side: int, crop_size: int) -> int:
    return crop_size if abs(side - crop_size) <= SNAP_PIXELS else side


def original_image_train(height: int, width: int, draws: Draws) -> Box:
    """The fork's Inception-style crop: 8 to 100 % of the area, aspect ratio 0.75 to 1.33, at a random position.

    After ten failed attempts, the crop has 7/8 of the image's height and width.
    """
    size = next(filter(None, (_attempt(height, width, draws) for _ in range(_ATTEMPTS))), _seven_eighths(height, width))
    crop_height, crop_width = size
    # As in the fork, the draw excludes the last possible offset.
    top = draws.below(height - crop_height) if crop_height < height else 0
    left = draws.below(width - crop_width) if crop_width < width else 0
    return Box(top, left, crop_height, crop_width)


def _attempt(height: int, width: int, draws: Draws) -> tuple[int, int] | None:
    area = height * width * draws.uniform(0.08, 1.0)
    aspect = draws.uniform(0.75, 1.33)
    crop_height, crop_width = int(math.sqrt(area / aspect)), int(math.sqrt(area * aspect))
    return (crop_height, crop_width) if crop_height <= height and crop_width <= width else None


def _seven_eighths(height: int, width: int) -> tuple[int, int]:
    return height // 8 * 7, width // 8 * 7


def original_image_test(height: int, width: int, draws: Draws) -> Box:
    """The fork's test crop: 7/8 of height and width, offset by 1/14 of each."""
    return Box(height // 14, width // 14, *_seven_eighths(height, width))


def draws_needed(crop: Crop) -> int:
    """The largest number of random numbers that a crop uses for an item."""
    if crop is original_image_train:
        return _ATTEMPTS * _DRAWS_PER_ATTEMPT + 2
    return 3 if isinstance(crop, TrainCrop) else 0


def draws_matter(crop: Crop, height: int, width: int) -> bool:
    """Whether crops of an image of this size differ; a crop as large as the image has one place only."""
    if isinstance(crop, TrainCrop):
        return crop.multi_scale or (height, width) != (crop.size, crop.size)
    return crop is original_image_train

"""Random numbers that depend only on the seed and on an item's position in the data.

In Caffe, the prefetch thread draws from a single generator, so results depend on when the thread runs. Here each batch
has its own generator, keyed by (seed, layer, position). Any number of workers therefore draws the same numbers, and the
position is the only state to save.
"""

import secrets
import zlib
from collections.abc import Iterable

import numpy as np

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

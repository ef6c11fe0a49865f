"""The interface of sources of items."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.draws import Draws

Record = TypeVar("Record")


class Item(NamedTuple):
    """An example before its transform: pixels (height, width, channels), and a label or several labels."""

    pixels: NDArray[Any]
    label: float | NDArray[np.float32]


class Source(ABC, Generic[Record]):
    """Numbered records. Finding a record is separate from decoding it, which any thread may do."""

    #: Largest number of random numbers that `load` uses for a record.
    draws_per_item = 0

    @abstractmethod
    def __len__(self) -> int:
        """The number of records."""

    @abstractmethod
    def fetch(self, ordinals: Sequence[int]) -> list[Record]:
        """The records with these numbers, not decoded; called by a single thread, in order."""

    @abstractmethod
    def load(self, record: Record, draws: Draws) -> Item:
        """The decoded item of a record; called by any thread."""

    def first(self) -> Item:
        """The first record; nets derive their shapes from it."""
        return self.load(self.fetch([0])[0], Draws([0] * self.draws_per_item))

    def check(self) -> None:
        """Reads and decodes every record; DataError at the first unusable one. Random sources check nothing."""
        for ordinal in range(len(self)):
            self.load(self.fetch([ordinal])[0], Draws([0] * self.draws_per_item))

    def close(self) -> None:
        """Closes the source's files."""

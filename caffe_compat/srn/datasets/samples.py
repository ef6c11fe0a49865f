"""Samples: what annotations say, before any image is read."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

LabelRow = NDArray[np.int8]

PRESENT, ABSENT, UNKNOWN = 1, 0, -1


class PictureBox(NamedTuple):
    """A rectangle of an upright picture, in pixels."""

    left: float
    top: float
    width: float
    height: float


class Finding(NamedTuple):
    """Something to report about an image: a kind, which is counted, and details."""

    kind: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


class Sample(NamedTuple):
    """An image, or a box of one, with its labels.

    `name` goes into image lists and keys. `labels` (C,) are PRESENT, ABSENT or UNKNOWN. `left_out` is the reason to
    leave the sample out whatever its file looks like.
    """

    name: str
    path: str
    labels: LabelRow
    box: PictureBox | None = None
    left_out: Finding | None = None

    def fingerprint(self) -> bytes:
        """The sample as bytes, which are equal in two runs over the same data."""
        about = "\0".join((self.name, self.path, str(self.box), str(self.left_out)))
        return about.encode("utf-8", "surrogatepass") + self.labels.tobytes()


class SampleSource(Protocol):
    """The samples of one split, in the order of its list; each iteration starts anew."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Sample]: ...


class Samples:
    """A SampleSource of entries in memory, and a function that makes a sample of an entry."""

    def __init__(self, entries: Sequence[Any], make: Callable[[Any], Sample]) -> None:
        self._entries, self._make = entries, make

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Sample]:
        return map(self._make, self._entries)


@dataclass(frozen=True)
class DatasetSource:
    """A dataset as its makers publish it: label names in the order of the label file, and its splits.

    A split is read when its turn comes, so that one split's annotations are in memory at a time. `published` is how
    many images of a split the paper's authors had. `unknown_labels` says whether UNKNOWN occurs and is left out of
    training; WIDER-Attribute's do not, and `released_codes` writes them as 0 beside -1 for absent. `notes` say how
    the annotations were read, and `options` what the samples depend on besides the files.
    """

    name: str
    class_names: Sequence[str]
    splits: Mapping[str, Callable[[], SampleSource]]
    published: Mapping[str, int] = field(default_factory=dict)
    unknown_labels: bool = False
    released_codes: bool = False
    notes: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def label_row(labels: int, present: Sequence[int]) -> LabelRow:
    """A row of 0 and 1 from the positions that are present."""
    row = np.zeros(labels, np.int8)
    row[list(present)] = PRESENT
    return row


class DataSet(NamedTuple):
    """A data set that `prepare` writes: its line in the help, its own flags, and what they are read to.

    `stores` is where its pictures go unless --write says so: an LMDB, a folder or both.
    """

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    source_of: Callable[[argparse.Namespace], DatasetSource]
    stores: tuple[str, ...] = ("lmdb",)

"""One pass over a split's rows before anything is written: which labels, cells and images there are."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.image_header import SUFFIXES, has_image_suffix
from caffe_compat.srn.datasets.own.cells import EMPTY, UNSURE, Seen
from caffe_compat.srn.datasets.own.repeats import SHOWN, Joined, join_repeats
from caffe_compat.srn.datasets.own.rows import OwnFormat, OwnRow


class ImageNames:
    """Finds the files of names under a folder, and counts the names that had to be changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._absolute = f"{os.path.abspath(root)}/"
        self._suffixes = list(SUFFIXES) + [suffix.upper() for suffix in SUFFIXES]

    def file_name(self, name: str) -> str:
        """The name of the image's file under the folder; the name itself where nothing is found."""
        name = name.strip()
        if name.startswith(self._absolute):
            name = name[len(self._absolute) :]
        if "\\" in name and not self._exists(name):
            name = name.replace("\\", "/")
        name = name.removeprefix("./")
        return name if not name or has_image_suffix(name) or self._exists(name) else self._with_suffix(name)

    def _with_suffix(self, name: str) -> str:
        for suffix in self._suffixes:
            if self._exists(f"{name}{suffix}"):
                self._suffixes.remove(suffix)
                self._suffixes.insert(0, suffix)  # most likely the next file's too
                return f"{name}{suffix}"
        return name

    def _exists(self, name: str) -> bool:
        try:
            return (self._root / name).is_file()
        except (OSError, ValueError):  # a name that no file can have
            return False


class Scan:
    """The rows of a split, each image once, and what is in them.

    `labels` maps each label to the place of its first row, `seen` each kind of cell to its count and first place.
    """

    def __init__(self, form: OwnFormat, annotations: Path, root: Path, repeats: str) -> None:
        """`root` is the folder of images, `annotations` the file, which messages name.

        Raises DataError if there is no row, or if rows of one image differ and `repeats` is "".
        """
        self.root, self._form = root, form
        self.labels: dict[str, str] = {}
        self.names: dict[str, None] = {}
        self.seen: dict[str, Seen] = {}
        self._rest_is_empty = False
        repeated = {row.name for row in self._named() if self._note(row)}
        if not self.names:
            raise DataError(f"{annotations}: expected a row per image in the annotations, found none")
        self.joined: Joined = join_repeats(self._named() if repeated else (), repeated, repeats)
        unsure = [row.owner for row in self.joined.rows.values() if UNSURE in row.cells.values()]
        if unsure:
            self.seen[UNSURE] = Seen(len(unsure), unsure[0])

    def __len__(self) -> int:
        return len(self.names)

    def rows(self) -> Iterator[OwnRow]:
        """The rows; an image that several name comes once, at the place of its first row."""
        done: set[str] = set()
        for row in self._named():
            if row.name not in self.joined.rows:
                yield row
            elif row.name not in done:
                done.add(row.name)
                yield self.joined.rows[row.name]

    def check_labels(self, names: Sequence[str]) -> None:
        """Raise DataError if a row has a label that is not among `names`."""
        known = set(names)
        foreign = next(((label, owner) for label, owner in self.labels.items() if label not in known), None)
        if foreign:
            raise DataError(
                f"{foreign[1]}: expected one of {len(known)} labels, found '{foreign[0][:80]}'; "
                "give a file with all labels, one per line, as --classes"
            )

    def cells(self, labels: int) -> Mapping[str, Seen]:
        """`seen`, with the empty cells of images whose rows do not name all labels."""
        if not self._rest_is_empty:
            return self.seen
        without = [(labels - len(row.cells), row.owner) for row in self.rows() if len(row.cells) < labels]
        if not without:
            return self.seen
        before = self.seen.get(EMPTY, Seen(0, without[0][1]))
        return {**self.seen, EMPTY: Seen(before.cells + sum(cells for cells, _ in without), before.first)}

    def _named(self) -> Iterator[OwnRow]:
        names = ImageNames(self.root)
        return (row._replace(name=names.file_name(row.name)) for row in self._form.rows())

    def _note(self, row: OwnRow) -> bool:
        """Whether the row's image was named before."""
        for label, cell in row.cells.items():
            self.labels.setdefault(label, row.owner)
            before = self.seen.get(cell)
            self.seen[cell] = Seen(1, row.owner) if before is None else Seen(before.cells + 1, before.first)
        self._rest_is_empty |= row.rest == EMPTY
        if row.name in self.names:
            return True
        self.names[row.name] = None
        return False


def combined(scans: Iterable[Scan], labels: int) -> Mapping[str, Seen]:
    """Kinds of cells in all splits."""
    total: dict[str, Seen] = {}
    for found in scans:
        for cell, seen in found.cells(labels).items():
            before = total.get(cell, Seen(0, seen.first))
            total[cell] = Seen(before.cells + seen.cells, before.first)
    return total


def images_in_several(scans: Mapping[str, Scan]) -> Iterator[str]:
    """Notes on images that two splits name; a model is then tested on what it has seen."""
    splits = list(scans)
    pairs = ((one, other) for place, one in enumerate(splits) for other in splits[place + 1 :])
    for one, other in pairs:
        if scans[one].root == scans[other].root:
            both = [name for name in scans[other].names if name in scans[one].names]
            if both:
                first = ", ".join(f"'{name[:60]}'" for name in both[:SHOWN])
                yield f"{len(both):,} images are in {one} and in {other}: {first}"


def ordered(names: Iterable[str]) -> list[str]:
    """Label names by value if all are whole numbers, else by name."""
    unique = sorted(set(names))
    return sorted(unique, key=int) if unique and all(name.isdecimal() for name in unique) else unique

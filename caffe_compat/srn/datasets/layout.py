"""Where the files of a dataset lie, as the released SRN code and the generated nets name them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from caffe_compat.errors import DataError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class SplitFiles:
    """The files of one split; images lie under `images`, which all splits share."""

    folder: Path
    split: str

    images = property(lambda self: self.folder / "images", doc="The root that image lists count from.")
    image_list = property(lambda self: self.folder / f"{self.split}_imglist.txt", doc="A line is `name tags`.")
    labels = property(lambda self: self.folder / f"{self.split}_labels.txt", doc="A line is 0 or 1 for each label.")
    unlabelled = property(lambda self: self.folder / f"{self.split}_unlabelled.txt", doc="Images without any label.")
    report = property(lambda self: self.folder / f"{self.split}_report.tsv", doc="Images left out or changed, and why.")
    boxes = property(lambda self: self.folder / f"{self.split}_boxes.json", doc="Where each object truly is.")
    image_database = property(lambda self: self.folder / f"{self.split}_image_lmdb", doc="Encoded images.")
    label_database = property(lambda self: self.folder / f"{self.split}_label_lmdb", doc="Labels, C x 1 x 1.")


def class_names_file(folder: Path) -> Path:
    """One label name a line, for all splits."""
    return folder / "classes.txt"


def check_class_names(owner: str, names: Sequence[str]) -> None:
    """Raises DataError if a file of one name a line cannot hold them, or two labels have one name."""
    unfit = next((name for name in names if not name.strip() or len(name.splitlines()) > 1), None)
    if unfit is not None:
        raise DataError(f"{owner}: expected label names of one line each, found {unfit!r}")
    name, times = next(iter(Counter(names).most_common(1)), ("any", 0))
    if times != 1:
        raise DataError(f"{owner}: expected label names, each once, found '{name}' {times} times")


def write_class_names(folder: Path, names: Sequence[str]) -> None:
    """A name a line."""
    class_names_file(folder).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


class ListedImage(NamedTuple):
    """A line of an image list: the file's name under the root, and its number of tags where the list says it."""

    name: str
    tags: int | None


def read_image_list(path: Path) -> list[ListedImage]:
    """All lines of an image list.

    Raises DataError if the list cannot be read or is empty.
    """
    images = list(listed_images(path))
    if not images:
        raise DataError(f"{path}: the image list is empty; expected lines 'name' or 'name tags'")
    return images


def listed_images(path: Path) -> Iterator[ListedImage]:
    """The lines `name` or `name tags`, one at a time; a name may hold spaces, for the tags stand after the last one.

    Raises DataError if the list cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            yield from (parse_listed_image(line.strip()) for line in lines if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error  # an OSError names the path again
        raise DataError(f"{path}: cannot read the image list: {reason}; expected text, one image a line") from error


def parse_listed_image(line: str) -> ListedImage:
    """A line without blanks at its ends."""
    name, space, tags = line.rpartition(" ")
    return ListedImage(name.strip(), int(tags)) if space and tags.isdecimal() else ListedImage(line, None)


def image_path(root: str, name: str) -> str:
    """ROOT and name put together as the released program does, with the slash that people forget."""
    needs_slash = root and not root.endswith("/") and Path(root).is_dir()
    return f"{root}/{name}" if needs_slash else f"{root}{name}"

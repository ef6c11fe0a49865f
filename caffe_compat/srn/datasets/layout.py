"""Names of a dataset's files, as the released SRN code and the generated nets expect them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.regular_file import check_regular_file

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class SplitFiles:
    """The files of one split; its images are under `images`, which all splits share."""

    folder: Path
    split: str

    images = property(lambda self: self.folder / "images", doc="The folder that image lists count from.")
    image_list = property(lambda self: self.folder / f"{self.split}_imglist.txt", doc="A line is `name tags`.")
    labels = property(lambda self: self.folder / f"{self.split}_labels.txt", doc="1, 0 or -1 for each label.")
    unlabelled = property(lambda self: self.folder / f"{self.split}_unlabelled.txt", doc="Images without any label.")
    report = property(lambda self: self.folder / f"{self.split}_report.tsv", doc="Images left out or changed, and why.")
    boxes = property(lambda self: self.folder / f"{self.split}_boxes.json", doc="The true place of each object.")
    image_database = property(lambda self: self.folder / f"{self.split}_image_lmdb", doc="Encoded images.")
    label_database = property(lambda self: self.folder / f"{self.split}_label_lmdb", doc="Labels, C x 1 x 1.")


def class_names_file(folder: Path) -> Path:
    """The file of label names, one per line, for all splits."""
    return folder / "classes.txt"


def check_class_names(owner: str, names: Sequence[str]) -> None:
    """Raises DataError if a file of one name per line cannot hold the names, or two labels have the same name."""
    unfit = next((name for name in names if not _fits_a_line(name)), None)
    if unfit is not None:
        raise DataError(f"{owner}: expected label names of one line of text each, found {ascii(unfit)[:80]}")
    name, times = next(iter(Counter(names).most_common(1)), ("any", 0))
    if times != 1:
        raise DataError(f"{owner}: expected label names, each once, found '{name}' {times} times")


def _fits_a_line(name: str) -> bool:
    """Whether a text file of one name per line can hold a name: half of a surrogate pair is no text."""
    is_text = name.encode("utf-8", "ignore").decode() == name
    return bool(name.strip()) and len(name.splitlines()) == 1 and is_text and "\0" not in name


def write_class_names(folder: Path, names: Sequence[str]) -> None:
    """Write one name per line."""
    class_names_file(folder).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


class ListLine(NamedTuple):
    """A line of an image list: the file's name under the root, and its number of tags if the list has it."""

    name: str
    tags: int | None


def read_image_list(path: Path) -> list[ListLine]:
    """All lines of an image list.

    Raises DataError if the list cannot be read or is empty.
    """
    images = list(listed_images(path))
    if not images:
        raise DataError(f"{path}: the image list is empty; expected lines 'name' or 'name tags'")
    return images


def listed_images(path: Path) -> Iterator[ListLine]:
    """The lines `name` or `name tags`, one at a time. A name may hold spaces: the tags come after the last one.

    Raises DataError if the list cannot be read.
    """
    check_regular_file(path, "image list")
    try:
        with path.open(encoding="utf-8") as lines:
            yield from (parse_listed_image(line.strip()) for line in lines if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error  # an OSError names the path again
        raise DataError(f"{path}: cannot read the image list: {reason}; expected text, one image per line") from error


def parse_listed_image(line: str) -> ListLine:
    """The image of a line, which has no blanks at its ends."""
    name, space, tags = line.rpartition(" ")
    return ListLine(name.strip(), int(tags)) if space and tags.isdecimal() else ListLine(line, None)


def image_path(root: str, name: str) -> str:
    """The root followed by the name, as in the released program, with a slash between if the root lacks one."""
    needs_slash = root and not root.endswith("/") and Path(root).is_dir()
    return f"{root}/{name}" if needs_slash else f"{root}{name}"

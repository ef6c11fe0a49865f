"""MS-COCO: labels in the order of category ids; as in the paper, trained on train2014 and tested on val2014.

The file of training instances has 450 MB. Outlines are dropped while the file is parsed, so that reading it takes
about 0.8 GB of memory, one split at a time.
"""

import argparse
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from caffe_compat.errors import FormatError
from caffe_compat.srn.datasets.json_file import check_once, entries, member, read_json
from caffe_compat.srn.datasets.samples import DataSet, DatasetSource, Finding, Sample, Samples, SampleSource, label_row

PARTS = {"train": "train", "test": "val"}
#: How many images of a year's splits the paper's authors had.
PUBLISHED = {2014: {"train": 82_783, "test": 40_504}}


class _Annotation(NamedTuple):
    image: int
    category: int
    crowd: bool


@dataclass(frozen=True)
class Instances:
    """A file of instances: category names by id, image names by id, and categories by image.

    Categories and images are in the order of ids. `crowds` counts annotations of crowds.
    """

    categories: dict[int, str]
    images: dict[int, str]
    present: dict[int, set[int]]
    crowds: int


def coco(annotations: Path, images: Path, labelled_only: bool = False, year: int = 2014) -> DatasetSource:
    """The dataset from `annotations`/instances_{train,val}YEAR.json and `images`/{train,val}YEAR.

    Images without labels stay in, as in the paper's counts, unless `labelled_only`.
    """
    folders = {split: f"{part}{year}" for split, part in PARTS.items()}
    files = {split: annotations / f"instances_{folder}.json" for split, folder in folders.items()}
    categories = _categories(files["test"], read_json(files["test"], thinned))  # the smaller file
    splits = {
        split: partial(_split, files[split], images, folder, categories, labelled_only)
        for split, folder in folders.items()
    }
    return DatasetSource("coco", list(categories.values()), splits, PUBLISHED.get(year, {}))


def _split(path: Path, images: Path, folder: str, categories: dict[int, str], labelled_only: bool) -> SampleSource:
    instances = read_instances(path, read_json(path, thinned), expected=categories)
    columns = {category: column for column, category in enumerate(categories)}

    def sample(image: int) -> Sample:
        present = [columns[category] for category in instances.present.get(image, ())]
        unwanted = Finding("untagged", "no label") if labelled_only and not present else None
        name = f"{folder}/{instances.images[image]}"
        return Sample(name, str(images / name), label_row(len(columns), present), left_out=unwanted)

    return Samples(list(instances.images), sample)


def read_instances(path: Path, content: Any, crowds: bool = True, expected: Collection[int] | None = None) -> Instances:
    """What a parsed file says about labels; `crowds` says whether a crowd counts as any other instance.

    Raises FormatError for content of another form, or a category that is not `expected` (default: the file's own).
    """
    categories = _categories(path, content) if expected is None else {}
    listed = entries(path, content, "images", {"id": int, "file_name": str})
    for field in ("id", "file_name"):
        check_once(f"{path}: images", listed, field)
    images = {image["id"]: image["file_name"] for image in sorted(listed, key=lambda image: int(image["id"]))}
    found = _annotations(path, member(path, content, "annotations"), expected or categories)
    unknown = {annotation.image for annotation in found} - images.keys()
    if unknown:
        raise FormatError(
            f"{path}: expected each annotation to be of a listed image, found some of {len(unknown)} others, such as "
            f"{min(unknown)}; was the file cut or mixed with another?"
        )
    present: dict[int, set[int]] = defaultdict(set)
    for annotation in found:
        if crowds or not annotation.crowd:
            present[annotation.image].add(annotation.category)
    return Instances(categories, images, dict(present), sum(annotation.crowd for annotation in found))


def _categories(path: Path, content: Any) -> dict[int, str]:
    """Names by category id, in the order of ids."""
    listed = entries(path, content, "categories", {"id": int, "name": str})
    check_once(f"{path}: categories", listed, "id")
    return {category["id"]: category["name"] for category in sorted(listed, key=lambda category: int(category["id"]))}


def _annotations(path: Path, annotations: Any, categories: Collection[int]) -> list[_Annotation]:
    listed = annotations if isinstance(annotations, list) else [annotations]
    for number, annotation in enumerate(listed):
        if not isinstance(annotation, _Annotation) or not all(isinstance(value, int) for value in annotation):
            raise FormatError(
                f"{path}: entry {number} of 'annotations': expected 'image_id' and 'category_id', two integers, found "
                f"{str(annotation)[:80]}"
            )
        if annotation.category not in categories:
            raise FormatError(
                f"{path}: expected one of {len(categories)} categories for image {annotation.image}, found "
                f"{annotation.category}; the files of both splits must be of one release"
            )
    return listed


def thinned(entry: dict[str, Any]) -> dict[str, Any] | _Annotation:
    """An annotation without its outline and the rest that labels do not need."""
    if "category_id" in entry and "image_id" in entry:
        return _Annotation(entry["image_id"], entry["category_id"], bool(entry.get("iscrowd")))
    return entry


def _coco_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags of MS-COCO."""
    parser.add_argument("--annotations", type=Path, required=True, help="the folder of instances_{train,val}YEAR.json")
    parser.add_argument("--images", type=Path, required=True, help="the folder of train2014/ and val2014/ (or 2017)")
    parser.add_argument("--year", type=int, choices=(2014, 2017), default=2014, help="of the release (paper: 2014)")
    parser.add_argument("--labelled-only", action="store_true", help="leave out images without labels (paper: keep)")


def _coco_source(arguments: argparse.Namespace) -> DatasetSource:
    """Returns MS-COCO, read as the command line says."""
    return coco(arguments.annotations, arguments.images, arguments.labelled_only, arguments.year)


#: `prepare coco`.
COCO = DataSet("MS-COCO 2014", _coco_arguments, _coco_source)

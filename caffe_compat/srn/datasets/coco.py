"""MS-COCO 2014: 80 labels in the order of category ids; trained on train2014, tested on val2014, as in the paper.

The file of training instances has 450 MB. Outlines are dropped while it is parsed, so that reading it takes about
0.8 GB of memory, one split at a time.
"""

from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from caffe_compat.errors import FormatError
from caffe_compat.srn.datasets.json_file import check_once, entries, member, read_json
from caffe_compat.srn.datasets.samples import DatasetSource, Finding, Sample, Samples, SampleSource, label_row

YEARS = {"train": "train2014", "test": "val2014"}
PUBLISHED = {"train": 82_783, "test": 40_504}


class _Annotation(NamedTuple):
    image: int
    category: int


def coco(annotations: Path, images: Path, labelled_only: bool = False) -> DatasetSource:
    """The dataset from `annotations`/instances_{train,val}2014.json and `images`/{train,val}2014.

    Images without labels stay in, as in the paper's counts, unless `labelled_only`.
    """
    files = {split: annotations / f"instances_{year}.json" for split, year in YEARS.items()}
    categories = _categories(files["test"])  # the smaller file
    splits = {
        split: partial(_split, files[split], images, year, list(categories), labelled_only)
        for split, year in YEARS.items()
    }
    return DatasetSource("coco", list(categories.values()), splits, PUBLISHED)


def _categories(path: Path) -> dict[int, str]:
    """Names by category id, in the order of ids."""
    listed = entries(path, read_json(path, _thinned), "categories", {"id": int, "name": str})
    check_once(f"{path}: categories", listed, "id")
    return {category["id"]: category["name"] for category in sorted(listed, key=lambda category: category["id"])}


def _split(path: Path, images: Path, year: str, categories: list[int], labelled_only: bool) -> SampleSource:
    content = read_json(path, _thinned)
    columns = {category: column for column, category in enumerate(categories)}
    present = _labels_of_images(path, member(path, content, "annotations"), columns)
    listed = sorted(entries(path, content, "images", {"id": int, "file_name": str}), key=lambda image: int(image["id"]))
    _check_images(path, listed, present)

    def sample(image: dict[str, Any]) -> Sample:
        name, labels = f"{year}/{image['file_name']}", present.get(image["id"], ())
        unwanted = Finding("untagged", "no label") if labelled_only and not labels else None
        return Sample(name, str(images / name), label_row(len(columns), list(labels)), left_out=unwanted)

    return Samples(listed, sample)


def _check_images(path: Path, listed: list[dict[str, Any]], present: dict[int, set[int]]) -> None:
    """Each image once, and an image for each label."""
    check_once(f"{path}: images", listed, "id")
    check_once(f"{path}: images", listed, "file_name")
    unknown = present.keys() - {image["id"] for image in listed}
    if unknown:
        raise FormatError(
            f"{path}: expected each annotation to be of a listed image, found some of {len(unknown)} others, such as "
            f"{min(unknown)}; was the file cut or mixed with another?"
        )


def _labels_of_images(path: Path, annotations: Any, columns: dict[int, int]) -> dict[int, set[int]]:
    """Columns of each image's labels; crowds count as any other instance."""
    present = defaultdict(set)
    for number, annotation in enumerate(annotations if isinstance(annotations, list) else [annotations]):
        if not isinstance(annotation, _Annotation) or not all(isinstance(value, int) for value in annotation):
            raise FormatError(
                f"{path}: entry {number} of 'annotations': expected 'image_id' and 'category_id', two integers, found "
                f"{str(annotation)[:80]}"
            )
        if annotation.category not in columns:
            raise FormatError(
                f"{path}: expected one of {len(columns)} categories for image {annotation.image}, found "
                f"{annotation.category}; the files of both splits must be of one release"
            )
        present[annotation.image].add(columns[annotation.category])
    return present


def _thinned(entry: dict[str, Any]) -> dict[str, Any] | _Annotation:
    """An annotation without its outline and the rest that labels do not need."""
    if "category_id" in entry and "image_id" in entry:
        return _Annotation(entry["image_id"], entry["category_id"])
    return entry

"""A small copy of MS-COCO 2014's file structure."""

import json
from pathlib import Path

from tests.srn.datasets.synthetic_images import encode, pixels, write_image

#: As in COCO: ids with holes, listed in another order than theirs.
CATEGORIES = {3: "car", 1: "person", 90: "toothbrush", 18: "dog", 7: "train"}
NAMES_BY_ID = ["person", "car", "train", "dog", "toothbrush"]
#: Split, image id: category ids of its annotations, some of which come twice.
ANNOTATIONS = {
    "train": {42: [1, 1, 18], 9: [3], 581: [], 30: [90, 1, 7], 31: [18, 3], 7: [7], 110: [1, 3, 90], 8: [18]},
    "val": {5: [1, 18], 2: [3, 7], 74: [], 60: [90]},
}


def write_coco(root: Path) -> tuple[Path, Path]:
    """ROOT/annotations and ROOT/{train,val}2014; returns both folders, annotations first."""
    for split, images in ANNOTATIONS.items():
        _write_annotations(root / "annotations" / f"instances_{split}2014.json", split, images)
        for identifier in images:
            write_image(root / _name(split, identifier), identifier, height=30 + identifier % 9, width=44)
    (root / _name("train", 31)).write_bytes(encode(pixels(31, channels=1)))
    return root / "annotations", root


def _name(split, identifier):
    return f"{split}2014/COCO_{split}2014_{identifier:012d}.jpg"


def _write_annotations(path, split, images):
    annotations = [
        {
            "id": 1000 * image + place,
            "image_id": image,
            "category_id": category,
            "segmentation": [[1.5, 2.5, 10.25, 2.5, 6.0, 9.75]],
            "bbox": [1.5, 2.5, 8.75, 7.25],
            "area": 31.7,
            "iscrowd": int(place > 0),
        }
        for image, categories in images.items()
        for place, category in enumerate(categories)
    ]
    content = {
        "info": {"year": 2014},
        "licenses": [{"id": 1, "name": "synthetic"}],
        "images": [{"id": image, "file_name": _name(split, image).split("/")[1]} for image in images],
        "categories": [{"id": key, "name": name, "supercategory": "thing"} for key, name in CATEGORIES.items()],
        "annotations": annotations,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))

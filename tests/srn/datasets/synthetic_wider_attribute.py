"""A small copy of WIDER-Attribute's file structure: photographs with boxes of people and their attributes."""

import json
from pathlib import Path

from tests.srn.datasets.synthetic_images import write_image

ATTRIBUTES = ["Male", "longHair", "sunglass", "Hat", "T-shirt"]
#: A person's box and attributes.
Person = tuple[list[float], tuple[int, ...]]
#: File: photograph: its people.
PHOTOGRAPHS: dict[str, dict[str, list[Person]]] = {
    "trainval": {
        "train/0--Parade/0_Parade_1_100.jpg": [
            ([4, 3, 20, 30], (1, -1, 0, 1, -1)),
            ([30, 5, 40, 20], (-1, 1, 0, -1, 1)),  # beyond the right side
        ],
        "val/1--Dress/1_Dress_9_7.jpg": [
            ([0.4, 1.6, 21.2, 12.8], (1, 1, -1, -1, 0)),
            ([60, 2, 5, 5], (1, 1, 1, 1, 1)),  # outside
        ],
    },
    "test": {
        "test/0--Parade/0_Parade_2_5.jpg": [
            ([2, 2, 15, 25], (-1, 0, 1, -1, 1)),
            ([10, 8, 30, 20], (0, -1, -1, 1, 0)),
            ([5, 5, 11, 13], (-1, -1, -1, 0, -1)),
        ],
    },
}


def write_wider_attribute(root: Path) -> tuple[Path, Path]:
    """ROOT/wider_attribute_{trainval,test}.json and ROOT/Image; returns ROOT and the latter."""
    for seed, (name, photographs) in enumerate(PHOTOGRAPHS.items()):
        content = {
            # out of order and as text, as in the real one
            "attribute_id_map": {str(key): ATTRIBUTES[key] for key in (4, 0, 2, 1, 3)},
            "scene_id_map": {"0": "Parade", "1": "Dress"},
            "images": [_photograph(*photograph) for photograph in photographs.items()],
        }
        root.mkdir(parents=True, exist_ok=True)
        (root / f"wider_attribute_{name}.json").write_text(json.dumps(content))
        for place, photograph in enumerate(photographs):
            write_image(root / "Image" / photograph, 10 * seed + place)
    return root, root / "Image"


def _photograph(name, people):
    targets = [{"bbox": box, "attribute": list(attributes)} for box, attributes in people]
    return {"file_name": name, "scene_id": int("Dress" in name), "targets": targets}

"""A small copy of NUS-WIDE's file structure, with an image without concepts and one that has vanished."""

from pathlib import Path

from tests.srn.datasets.synthetic_images import write_image

CONCEPTS = ["airport", "animal", "beach", "sky"]
#: Split: names with the list's backslashes, and the concepts of each, as 0 or 1.
IMAGES = {
    "Train": {
        "actor\\0001_212.jpg": (0, 1, 0, 0),
        "actor\\0002_174.jpg": (0, 0, 0, 0),
        "beach\\0001_900.jpg": (0, 0, 1, 1),
        "zoo\\0011_5.jpg": (0, 1, 0, 1),
        "zoo\\0012_6.jpg": (1, 0, 0, 0),
    },
    "Test": {
        "airport\\0007_77.jpg": (1, 0, 0, 1),
        "sky\\0003_3.jpg": (0, 0, 0, 1),
        "sky\\0004_8.jpg": (0, 0, 1, 0),
        "actor\\0005_1.jpg": (0, 0, 0, 0),
    },
}
VANISHED = "zoo\\0012_6.jpg"


def write_nus_wide(root: Path, labels: str = "TrainTestLabels", concepts: str = "Concepts81.txt") -> tuple[Path, Path]:
    """ROOT/ImageList, ROOT/Groundtruth/`labels`, ROOT/`concepts` and ROOT/Flickr; returns the last and ROOT."""
    _write_lines(root / concepts, CONCEPTS)
    every = {**IMAGES["Test"], **IMAGES["Train"]}
    for split, images in IMAGES.items():
        _write_lines(root / "ImageList" / f"{split}Imagelist.txt", images)
    _write_lines(root / "ImageList" / "Imagelist.txt", every)
    by_ending = {"": every} if labels == "AllLabels" else {f"_{split}": images for split, images in IMAGES.items()}
    for position, concept in enumerate(CONCEPTS):
        for ending, images in by_ending.items():
            path = root / "Groundtruth" / labels / f"Labels_{concept}{ending}.txt"
            _write_lines(path, (row[position] for row in images.values()))
    for seed, name in enumerate(every):
        if name != VANISHED:
            write_image(root / "Flickr" / name.replace("\\", "/"), seed)
    return root, root / "Flickr"


def _write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\r\n" for line in lines))

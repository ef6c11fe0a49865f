"""Checks that training and prediction see objects at the same scale: stored pictures must suit the net's input.

Prediction resizes the whole image to the input. Training cuts the input out of a picture that is a little larger: 8/7
of the input in the paper, 256 to 224 pixels. Crops of a much larger picture would show a small part at another scale.
"""

from caffe_compat.errors import FieldError
from prototxt_gen.options import GeneratorOptions
from prototxt_gen.prepared import Prepared

PAPERS_RATIO = 8 / 7
LARGEST_RATIO = 4 / 3  # AlexNet, Inception and the paper use at most 8/7


def crop_source_size(input_size: int) -> int:
    """The side of the pictures from which training crops are cut, in pixels; 256 for an input of 224."""
    return round(input_size * PAPERS_RATIO)


def check_scale(options: GeneratorOptions, prepared: Prepared) -> None:
    """Raises FieldError if pictures in the LMDBs do not suit the input; pictures in a folder are resized anyway."""
    if options.source == "folder":
        return
    for split, side, cropped in _uses(options, prepared):
        if not _suits(options.input_size, side, cropped):
            found, wanted = _found(options, split, side), _wanted(options.input_size, cropped)
            raise FieldError(f"options: {found}, while {wanted}; {_cure(options, prepared)}")


def _uses(options: GeneratorOptions, prepared: Prepared) -> list[tuple[str, int, bool]]:
    """The splits that the nets read, with the side of their pictures, and whether crops of them are taken."""
    return [
        ("train", prepared.sides["train"], options.augmentation != "none"),
        (options.test_split, prepared.sides[options.test_split], options.test_view == "crop"),
    ]


def _suits(size: int, side: int, cropped: bool) -> bool:
    return side == size or (cropped and size <= side <= LARGEST_RATIO * size)


def _found(options: GeneratorOptions, split: str, side: int) -> str:
    pictures = f"pictures of {side} x {side} pixels" if side else "pictures of different sizes"
    return f"--input-size {options.input_size} does not suit --data {options.data}: its {split} split has {pictures}"


def _wanted(size: int, cropped: bool) -> str:
    if not cropped:
        return f"whole images of {size} x {size} are needed"
    largest = int(LARGEST_RATIO * size)
    return f"crops of {size} need pictures of {size} to {largest}, so that training and prediction see one scale"


def _cure(options: GeneratorOptions, prepared: Prepared) -> str:
    again = f"prepare the data again with --input-size {options.input_size}"
    if options.augmentation == "none":
        again += f" --resize {options.input_size}"
    uses = _uses(options, prepared)
    sides = [side for _, side, _ in uses]
    sizes = [size for side in sides if side for size in (round(side / PAPERS_RATIO), side)]
    suiting = [size for size in sizes if all(_suits(size, side, cropped) for _, side, cropped in uses)]
    return again + (f", or generate with --input-size {suiting[0]}" if suiting else "")

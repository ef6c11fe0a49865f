"""The options of a conversion."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from caffe_compat.convert.model import Shape
from caffe_compat.convert.norm.bn_statistics import AUTO
from caffe_compat.convert.pretrained.pixels import USUAL, Pixels
from caffe_compat.data.preprocessing import UNSAID, ImageFlags

SAME = "same"
DEPLOY, TRAIN = "deploy", "train"


@dataclass(frozen=True)
class Options:
    """The flags of tools/convert_caffemodel.py, which explains them."""

    prototxt: str | None = None
    source_dialect: str | None = None
    dialect: str = SAME
    norm: str = "auto"
    bn_statistics: str = AUTO
    fold_bn: bool = False
    rename: str | None = None
    form: str = DEPLOY
    input_shapes: Mapping[str, Shape] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    dynamic_batch: bool = False
    dynamic_size: bool = False
    check: bool = True
    allow_unfilled: bool = False
    pixels: Pixels = USUAL
    images: ImageFlags = UNSAID

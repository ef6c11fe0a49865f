"""Where a net's images and labels come from."""

from typing import Any

from prototxt_gen.builder import Blob, NetBuilder
from prototxt_gen.options import Options

MEAN_BGR = (104, 117, 123)
#: Crop sides that the paper draws from 256 x 256 images: 256, 224, 192, 168, 128; width and height independently.
PAPER_CROPS = {"fix_crop": True, "multi_scale": True, "scale_ratios": [1, 0.875, 0.75, 0.66, 0.5], "max_distort": 4}


def add_input(net: NetBuilder, options: Options) -> Blob:
    """One image. `input` fields and not an Input layer, which the released code's Caffe lacks."""
    net.message.input.append("data")
    net.message.input_shape.add(dim=[1, 3, options.input_size, options.input_size])
    return Blob("data", 3, options.input_size)


def add_data_layers(net: NetBuilder, options: Options) -> tuple[Blob, Blob]:
    """For each phase an image LMDB and a label LMDB in the same order; labels are C x 1 x 1 numbers 0 or 1.

    Training images are the whole image resized to 256 x 256 (for an input of 224), test images to the input's size.
    """
    data, label = Blob("data", 3, options.input_size), Blob("label", options.labels)
    for phase, split in (("TRAIN", "train"), ("TEST", options.test_split)):
        include = [{"phase": phase}]
        net.layer(
            "Data",
            "data",
            [],
            data,
            include=include,
            transform_param=_transform(options, phase),
            data_param=_source(options, f"{split}_image_lmdb"),
        )
        net.layer("Data", "label", [], label, include=include, data_param=_source(options, f"{split}_label_lmdb"))
    return data, label


def _transform(options: Options, phase: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"mean_value": MEAN_BGR}
    if options.augmentation != "none":
        fields["crop_size"] = options.input_size
    if phase == "TRAIN" and options.mirror:
        fields["mirror"] = True
    if phase == "TRAIN" and options.augmentation == "paper":
        fields |= PAPER_CROPS
    return fields


def _source(options: Options, name: str) -> dict[str, Any]:
    return {"source": f"{options.data}/{name}", "batch_size": options.batch_size, "backend": "LMDB"}

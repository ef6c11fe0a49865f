"""Data layers: the sources of a net's images and labels."""

from typing import Any

from caffe_compat.proto.upgrade.on_load import first_reader
from prototxt_gen.builder import Maps, NetBuilder
from prototxt_gen.options import GeneratorOptions
from prototxt_gen.recipes import MODELS
from prototxt_gen.scale import crop_source_size

MEAN_BGR = (104, 117, 123)
#: The paper's crops of 256 x 256 images: width and height are drawn independently from 256, 224, 192, 168, 128.
PAPER_CROPS = {"fix_crop": True, "multi_scale": True, "scale_ratios": [1, 0.875, 0.75, 0.66, 0.5], "max_distort": 4}


def add_input(net: NetBuilder, options: GeneratorOptions) -> Maps:
    """Adds an input of one image, by `input` fields: the Caffe of the released code has no Input layer."""
    net.message.input.append("data")
    net.message.input_shape.add(dim=[1, 3, options.input_size, options.input_size])
    return Maps("data", 3, options.input_size)


def say_mean(net: NetBuilder, data: Maps) -> None:
    """Writes the mean that training subtracted into the first layer that reads the input.

    `input` fields have no place for it. Every Caffe accepts the field in any layer, and only data layers obey it.
    """
    reader = first_reader(net.message.layer, [data.name])
    if reader is not None:
        reader.transform_param.mean_value.extend(MEAN_BGR)


def add_data_layers(net: NetBuilder, options: GeneratorOptions) -> tuple[Maps, Maps]:
    """Adds images and a label LMDB in the same order, for each phase; returns data and labels (C x 1 x 1).

    Training crops come from the whole image resized to 256 x 256 (for an input of 224). Test images are whole images
    resized to the input (section 3.4). Pictures in LMDBs have these sizes already; pictures in a folder are resized by
    the layer.
    """
    data, label = Maps("data", 3, options.input_size), Maps("label", options.labels)
    for phase, split in (("TRAIN", "train"), ("TEST", options.test_split)):
        include = [{"phase": phase}]
        add_images = {"lmdb": _lmdb_images, "folder": _folder_images}[options.source]
        add_images(net, data, phase, split, options)
        net.layer("Data", "label", [], label, include=include, data_param=_database(options, f"{split}_label_lmdb"))
    return data, label


def _lmdb_images(net: NetBuilder, data: Maps, phase: str, split: str, options: GeneratorOptions) -> None:
    net.layer(
        "Data",
        "data",
        [],
        data,
        include=[{"phase": phase}],
        transform_param=_transform(options, phase),
        data_param=_database(options, f"{split}_{'photo' if MODELS[options.model].regions else 'image'}_lmdb"),
    )


def _folder_images(net: NetBuilder, data: Maps, phase: str, split: str, options: GeneratorOptions) -> None:
    """Adds an image list. Its second top, the number of labels of an image, is not used."""
    cropped = _is_cropped(options, phase)
    size = crop_source_size(options.input_size) if cropped else options.input_size
    net.layer(
        "ImageData",
        "data",
        [],
        data,
        more_tops=[Maps("tags", 1)],
        include=[{"phase": phase}],
        transform_param=_transform(options, phase),
        image_data_param={
            "source": f"{options.data}/{split}_imglist.txt",
            "root_folder": f"{options.data}/images/",
            "batch_size": options.batch_size,
            "new_height": size,
            "new_width": size,
        },
    )


def _is_cropped(options: GeneratorOptions, phase: str) -> bool:
    return options.augmentation != "none" if phase == "TRAIN" else options.test_view == "crop"


def _transform(options: GeneratorOptions, phase: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"mean_value": MEAN_BGR}
    if MODELS[options.model].regions:
        return fields  # a crop or a mirror would move the picture away from its boxes
    if _is_cropped(options, phase):
        fields["crop_size"] = options.input_size
    if phase == "TRAIN" and options.mirror:
        fields["mirror"] = True
    if phase == "TRAIN" and options.augmentation == "paper":
        fields |= PAPER_CROPS
    return fields


def _database(options: GeneratorOptions, name: str) -> dict[str, Any]:
    return {"source": f"{options.data}/{name}", "batch_size": options.batch_size, "backend": "LMDB"}

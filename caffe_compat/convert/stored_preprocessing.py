"""Where a net says what it expects of an image: reads it from the layers of a net, and writes it into them.

The words are those of `caffe_compat.proto.upgrade.on_load`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffe_compat.convert.formats.numpy_file import load_npy
from caffe_compat.convert.model import Layer, Model, Shape
from caffe_compat.data.mean import read_mean
from caffe_compat.data.preprocessing import BGR, CHANNELS, GRAY, RGB, Preprocessing
from caffe_compat.errors import DataError, FieldError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.upgrade.on_load import first_reader, is_rgb, say_rgb

#: An image has four axes, (items, channels, height, width).
IMAGE_AXES = 4


def image_inputs(inputs: Mapping[str, Shape]) -> list[str]:
    """Returns the names of the inputs that take images: four axes, with one channel or three."""
    return [name for name, shape in inputs.items() if is_image(shape)]


def is_image(shape: Shape) -> bool:
    """Whether a shape is one of images, (items, 1 or 3, height, width)."""
    return len(shape) == IMAGE_AXES and shape[1] in CHANNELS.values()


def preprocessing_of(net: caffe_pb2.NetParameter, inputs: Mapping[str, Shape]) -> Preprocessing | None:
    """Returns what a deploy net with these inputs says of its images; None if it says nothing, or has no image."""
    for name in image_inputs(inputs):
        found = stated(net, name, planes=inputs[name][1])
        if found is not None:
            return found
    return None


def stated(
    net: caffe_pb2.NetParameter, blob: str, path: str = "", planes: int = 3, notes: list[str] | None = None
) -> Preprocessing | None:
    """Returns what the net says of the images in `blob`, which have `planes` channels; None if it says nothing.

    Looks at the layers that bring the blob, those of phase TEST first, then at those that read it. `path` is the net's
    file, beside which a mean_file may be. What cannot be read is unknown; `notes` gets a line about it.
    """
    layers = _with_transform(net.layer, blob)
    return _said(layers[0], path, planes, notes if notes is not None else []) if layers else None


def _with_transform(layers: Iterable[Layer], blob: str) -> list[Layer]:
    """Returns the layers that say something of the blob's images, the most telling one first."""
    saying = [layer for layer in layers if layer.HasField("transform_param")]
    bringing = [layer for layer in saying if blob in layer.top and not layer.bottom]
    bringing.sort(key=lambda layer: all(rule.phase != caffe_pb2.TEST for rule in layer.include))
    return bringing + [layer for layer in saying if blob in layer.bottom]


def _said(layer: Layer, path: str, planes: int, notes: list[str]) -> Preprocessing | None:
    transform = layer.transform_param
    scale = layer.window_data_param.scale if layer.type == "WindowData" else transform.scale
    order = GRAY if planes == CHANNELS[GRAY] else RGB if is_rgb(layer) else BGR
    try:
        mean = mean_of_file(transform.mean_file, path) if transform.mean_file else tuple(transform.mean_value)
        found = Preprocessing(order, mean, scale)
    except (DataError, FieldError) as error:
        notes.append(f"layer '{layer.name}': what it says of images is left aside ({error}); give it with --mean")
        return None
    if transform.mean_file:
        notes.append(f"layer '{layer.name}': of '{transform.mean_file}' the mean of each channel is stored")
    return found


def mean_of_file(file: str, beside: str = "") -> tuple[float, ...]:
    """Returns the mean of each channel of a mean image: .binaryproto, or .npy (channels, height, width).

    The file is looked for as it is named, then in the folder of the file `beside`. DataError if it is no mean image.
    """
    near = Path(beside).parent / file
    path = str(near if beside and not Path(file).exists() and near.exists() else file)
    image = _array(path) if path.endswith(".npy") else read_mean(path, "mean")
    return tuple(float(value) for value in image.reshape(len(image), -1).mean(axis=1, dtype=np.float64))


def _array(path: str) -> NDArray[np.float32]:
    image = np.asarray(load_npy(path, "numpy.save writes one"), np.float32)
    image = image[0] if image.ndim == IMAGE_AXES else image
    if image.ndim not in (1, 3) or len(image) not in CHANNELS.values():
        raise DataError(
            f"{path}: expected a mean (channels,) or (channels, height, width) of 1 or 3 channels, found {image.shape}"
        )
    return image


def store(net: caffe_pb2.NetParameter, blob: str, preprocessing: Preprocessing) -> None:
    """Writes into the net what it expects of the images in `blob`, where `stated` finds it first."""
    bringing = [layer for layer in net.layer if blob in layer.top and not layer.bottom]
    reader = first_reader(net.layer, [blob])
    for layer in bringing or ([reader] if reader is not None else []):
        say(layer, preprocessing)


def say(layer: Layer, preprocessing: Preprocessing) -> None:
    """Writes mean, scale and order of channels into a layer; the other fields of its transform stay."""
    transform = layer.transform_param
    transform.SetInParent()
    transform.ClearField("mean_file")
    transform.mean_value[:] = preprocessing.mean
    transform.ClearField("scale")
    if preprocessing.scale != 1:
        transform.scale = preprocessing.scale
    if layer.type == "WindowData":
        layer.window_data_param.scale = preprocessing.scale
    say_rgb(layer, preprocessing.channels == RGB)


def carry_over(source: Model, made: Model) -> None:
    """Writes into the net of `made` what the net of `source` says of inputs about which `made` says nothing."""
    for blob in {top for layer in source.net.layer if layer.HasField("transform_param") for top in layer.top}:
        is_there = any(blob in layer.top and not layer.bottom for layer in made.net.layer)
        said = stated(source.net, blob, source.path) if is_there and stated(made.net, blob, made.path) is None else None
        if said is not None:
            store(made.net, blob, said)

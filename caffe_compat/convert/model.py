"""Model: a trained net in memory, which all formats are read into and written from.

Beside it stands what every step of a conversion asks: names of blobs, the Scale behind a BatchNorm, a file's name in
errors.
"""

import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from caffe_compat.errors import CaffeError, FormatError, prefix_file
from caffe_compat.graph.wiring import Wiring
from caffe_compat.layers.registry import facts_of
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import Blob

Layer = caffe_pb2.LayerParameter
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """A net without its values, and the layers' blobs by layer name, in Caffe's order.

    - `is_filtered`: the net has the layers of one phase only, as saved files do; include and exclude rules are applied.
    - `has_structure`: False for bare weights (HDF5), whose layers have names but no types.
    - `has_gradients`: the file also holds diffs (`snapshot_diff`), which do not belong to a trained net.
    - `notes`: facts that a user of the weights must know.
    - `was_training`: the deploy net comes from a net in phase TRAIN, whose layers may be frozen on purpose.
    """

    net: caffe_pb2.NetParameter
    blobs: dict[str, list[Blob]]
    dialect: str
    path: str
    is_filtered: bool = True
    has_gradients: bool = False
    notes: tuple[str, ...] = ()
    was_training: bool = False

    @property
    def has_structure(self) -> bool:
        return any(layer.type for layer in self.net.layer)

    def layer(self, name: str) -> Layer:
        """Returns the first layer of this name."""
        return next(layer for layer in self.net.layer if layer.name == name)

    def shapes(self, name: str) -> list[Shape]:
        """Returns the shapes of a layer's blobs; an empty list if the layer has none."""
        return [tuple(blob.shape) for blob in self.blobs.get(name, ())]

    def with_layers(self, layers: Iterable[Layer], blobs: dict[str, list[Blob]]) -> "Model":
        """Returns the same net with other layers and blobs."""
        net = caffe_pb2.NetParameter()
        for field, value in self.net.ListFields():
            if field.name != "layer":
                # Merging a message with only this field works for numbers, lists and messages alike.
                net.MergeFrom(caffe_pb2.NetParameter(**{field.name: value}))
        net.layer.extend(layers)
        return replace(self, net=net, blobs=blobs)


def require_structure(model: Model, what: str) -> None:
    """Raises FormatError for bare weights; `what` names the operation that needs the net."""
    if not model.has_structure:
        raise FormatError(
            f"{model.path}: {what} needs the net, but the file holds weights by layer name only; "
            "give the net with --prototxt"
        )


def path_with_suffix(path: str | Path, suffix: str) -> str:
    """Returns the path with its suffix replaced: `weights.caffemodel.h5` becomes `weights` plus `suffix`."""
    name = str(path)
    for known in (".caffemodel.h5", ".caffemodel", ".h5", ".safetensors", ".pt", ".pth", ".binaryproto", ".npy"):
        if name.endswith(known):
            return name.removesuffix(known) + suffix
    return name + suffix


@contextmanager
def file_in_errors(source: str, *others: str | None) -> Iterator[None]:
    """Puts the name of the source in front of CaffeErrors whose messages do not begin with one of these files."""
    try:
        yield
    except CaffeError as error:
        if str(error).startswith(tuple(str(file) for file in (source, *others) if file is not None)):
            raise
        raise prefix_file(error, source) from error


def blob_keys(layer: str, layer_type: str, count: int) -> list[str]:
    """Returns the keys of `count` blobs: `<layer>.<name>`, or `<layer>.<index>` if the layer's class names fewer."""
    names = facts_of(layer_type).blob_names
    return [f"{layer}.{names[index] if count <= len(names) else index}" for index in range(count)]


def scale_behind(layers: Sequence[Layer], wiring: Wiring, index: int) -> int | None:
    """Returns the index of the Scale that belongs to the BatchNorm at `index`, or None.

    The Scale must be the BatchNorm's only reader, with one slope per channel and no second bottom.
    """
    reader = wiring.only_reader(index)
    return reader if reader is not None and is_channel_scale(layers[reader]) else None


def is_channel_scale(layer: Layer) -> bool:
    """Whether the layer is a Scale with one learnt factor per channel."""
    field = layer.scale_param
    return layer.type == "Scale" and len(layer.bottom) == 1 and field.axis == 1 and field.num_axes == 1


def require_regular(path: str | Path) -> None:
    """Raises FormatError for a folder, a pipe, a socket or a device.

    A missing file passes, because opening it later raises a clear error.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return
    if not stat.S_ISREG(mode):
        raise FormatError(f"{path}: expected a file, found a folder, a pipe, a socket or a device; check the path")

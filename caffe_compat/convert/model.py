"""A trained net in memory: what every format is read into and written from."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import Blob

Layer = caffe_pb2.LayerParameter
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """A net without numbers, and its layers' blobs by layer name, in Caffe's order.

    `is_filtered` says that the net is one phase's, as saved files hold it: include and exclude rules have been used.
    A file of bare weights (HDF5) has layers with names and no types; `has_structure` is False then. `has_gradients`
    says that the file holds diffs (`snapshot_diff`), which are no part of a trained net. `notes` are what a user of the
    weights must know. `was_training` says of a deploy form that it comes from a net in training, whose layers may be
    frozen on purpose.
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
        """The layer of this name."""
        return next(layer for layer in self.net.layer if layer.name == name)

    def shapes(self, name: str) -> list[Shape]:
        """The shapes of a layer's blobs."""
        return [tuple(blob.shape) for blob in self.blobs.get(name, ())]

    def with_layers(self, layers: Iterable[Layer], blobs: dict[str, list[Blob]]) -> "Model":
        """The same net made of other layers."""
        net = caffe_pb2.NetParameter()
        for field, value in self.net.ListFields():
            if field.name != "layer":
                # A message of one field takes its kind (number, list, message) as it is.
                net.MergeFrom(caffe_pb2.NetParameter(**{field.name: value}))
        net.layer.extend(layers)
        return replace(self, net=net, blobs=blobs)


def require_structure(model: Model, what: str) -> None:
    """Refuses bare weights where the net is needed."""
    if not model.has_structure:
        raise FormatError(
            f"{model.path}: {what} needs the net, but the file holds weights by layer name only; "
            "give the net with --prototxt"
        )


def path_with_suffix(path: str | Path, suffix: str) -> str:
    """`weights.caffemodel.h5` to `weights` plus another suffix."""
    name = str(path)
    for known in (".caffemodel.h5", ".caffemodel", ".h5", ".safetensors", ".pt", ".pth", ".binaryproto", ".npy"):
        if name.endswith(known):
            return name.removesuffix(known) + suffix
    return name + suffix

"""Builds the layers that replace one of our layers in OpenCV."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from caffe_compat.layers.base import Shape
from caffe_compat.parity.recording import Array
from caffe_compat.proto import caffe_pb2

Layer = caffe_pb2.LayerParameter


@dataclass(frozen=True)
class ChainLayer:
    """A layer in its net: its message with OpenCV's blob names, its weights, and the shapes of bottoms and tops."""

    layer: Layer
    blobs: list[Array]
    bottoms: list[Shape]
    tops: list[Shape]


@dataclass
class Rewrite:
    """The layers and blobs that replace one layer, and a note for the user.

    Each old top is made by a layer with the top's name, because OpenCV splits a convolution with several bottoms.
    """

    layers: list[Layer]
    blobs: dict[str, list[Array]] = field(default_factory=dict)
    note: str = ""


class Chain:
    """A sequence of layers that leads from a layer's first bottom to its top."""

    def __init__(self, place: ChainLayer, note: str) -> None:
        self.rewrite = Rewrite([], note=note)
        self._place = place
        self.last = place.layer.bottom[0]

    def add(self, type_: str, *more_bottoms: str, blobs: Sequence[Array] = (), bottom: str = "") -> Layer:
        """Appends and returns a layer that reads the previous layer (or `bottom`)."""
        name = f"{self._place.layer.name}~{len(self.rewrite.layers)}"
        layer = Layer(name=name, type=type_, bottom=[bottom or self.last, *more_bottoms], top=[name])
        if blobs:
            self.rewrite.blobs[name] = list(blobs)
        self.rewrite.layers.append(layer)
        self.last = name
        return layer

    def power(self, power: float = 1.0, scale: float = 1.0, shift: float = 0.0) -> None:
        """Appends a Power layer, which computes (shift + scale * x) ^ power."""
        parameter = self.add("Power").power_param
        parameter.power, parameter.scale, parameter.shift = power, scale, shift

    def reshape(self, shape: Sequence[int]) -> None:
        """Appends a Reshape to `shape`."""
        self.add("Reshape").reshape_param.shape.dim[:] = shape

    def end(self) -> Rewrite:
        """Gives the last layer the name and tops of the replaced layer, and returns the rewrite."""
        last = self.rewrite.layers[-1]
        if last.name in self.rewrite.blobs:
            self.rewrite.blobs[self._place.layer.name] = self.rewrite.blobs.pop(last.name)
        last.name = self._place.layer.name
        last.top[:] = self._place.layer.top
        return self.rewrite


def as_it_is(place: ChainLayer) -> Rewrite:
    """Returns the layer unchanged, since OpenCV runs it as Caffe does."""
    return Rewrite([place.layer], {place.layer.name: place.blobs} if place.blobs else {})

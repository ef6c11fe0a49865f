"""One layer of ours, and the layers that say it to OpenCV."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from caffe_compat.layers.base import Shape
from caffe_compat.parity.recording import Array
from caffe_compat.proto import caffe_pb2

Layer = caffe_pb2.LayerParameter


@dataclass(frozen=True)
class Place:
    """One layer in its net: its message with OpenCV's names of blobs, its weights, and the shapes around it."""

    layer: Layer
    blobs: list[Array]
    bottoms: list[Shape]
    tops: list[Shape]


@dataclass
class Rewrite:
    """Layers with their blobs in place of one layer, and what to say about it.

    Each of the old tops is made by a layer of its name (OpenCV makes several of a convolution with several bottoms).
    """

    layers: list[Layer]
    blobs: dict[str, list[Array]] = field(default_factory=dict)
    note: str = ""


class Chain:
    """Layers one after the other, from a layer's first bottom to its top."""

    def __init__(self, place: Place, note: str) -> None:
        self.rewrite = Rewrite([], note=note)
        self._place = place
        self.last = place.layer.bottom[0]

    def add(self, type_: str, *more_bottoms: str, blobs: Sequence[Array] = (), bottom: str = "") -> Layer:
        """Appends a layer that reads the last one (or `bottom`)."""
        name = f"{self._place.layer.name}~{len(self.rewrite.layers)}"
        layer = Layer(name=name, type=type_, bottom=[bottom or self.last, *more_bottoms], top=[name])
        if blobs:
            self.rewrite.blobs[name] = list(blobs)
        self.rewrite.layers.append(layer)
        self.last = name
        return layer

    def power(self, power: float = 1.0, scale: float = 1.0, shift: float = 0.0) -> None:
        """Appends (shift + scale * x) ^ power."""
        parameter = self.add("Power").power_param
        parameter.power, parameter.scale, parameter.shift = power, scale, shift

    def reshape(self, shape: Sequence[int]) -> None:
        """Appends a Reshape."""
        self.add("Reshape").reshape_param.shape.dim[:] = shape

    def end(self) -> Rewrite:
        """The last layer takes over the name and tops."""
        last = self.rewrite.layers[-1]
        if last.name in self.rewrite.blobs:
            self.rewrite.blobs[self._place.layer.name] = self.rewrite.blobs.pop(last.name)
        last.name = self._place.layer.name
        last.top[:] = self._place.layer.top
        return self.rewrite


def as_it_is(place: Place) -> Rewrite:
    """A layer that OpenCV runs as Caffe does."""
    return Rewrite([place.layer], {place.layer.name: place.blobs} if place.blobs else {})

"""Layers as pycaffe shows them."""

from collections.abc import Sequence

from caffe_compat.layers.base import Layer
from caffe_compat.layers.utility.python import Python
from caffe_compat.layers.utility.python_interface import PythonLayer
from caffe_compat.net.blob import ParameterBlob


class LayerFace:
    """A built-in layer: its type and its weights."""

    def __init__(self, layer: Layer, blobs: Sequence[ParameterBlob]) -> None:
        self._layer = layer
        self.blobs = blobs

    @property
    def type(self) -> str:
        """The prototxt's type, "Convolution"."""
        return self._layer.spec.type

    def __repr__(self) -> str:
        return f"<{self._layer.spec}>"


def show_layer(layer: Layer, blobs: Sequence[ParameterBlob]) -> LayerFace | PythonLayer:
    """The face of a layer; a Python layer is the user's own object, so that scripts can call its other methods."""
    return layer.instance if isinstance(layer, Python) else LayerFace(layer, blobs)

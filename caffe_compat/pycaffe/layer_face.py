"""Shows layers with pycaffe's interface."""

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
        """The type in the prototxt, for example "Convolution"."""
        return self._layer.spec.type

    def __repr__(self) -> str:
        return f"<{self._layer.spec}>"


def show_layer(layer: Layer, blobs: Sequence[ParameterBlob]) -> LayerFace | PythonLayer:
    """Returns the object that shows a layer; for a Python layer the user's object, so that all its methods work."""
    return layer.instance if isinstance(layer, Python) else LayerFace(layer, blobs)

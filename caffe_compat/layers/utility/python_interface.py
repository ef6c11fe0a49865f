"""pycaffe's `caffe.Layer`, the base class of layers that users write in Python."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from caffe_compat.errors import MissingFeatureError
from caffe_compat.layers.utility.python_blob import PythonBlob, PythonParameters
from caffe_compat.proto import caffe_pb2

Blobs = Sequence[PythonBlob]


class Phase(IntEnum):
    """caffe.TRAIN or caffe.TEST as a number; `str` gives the name, which proposal layers use as a key of settings."""

    TRAIN = caffe_pb2.TRAIN
    TEST = caffe_pb2.TEST

    def __str__(self) -> str:
        return self.name


class PythonLayer:
    """Base class of layers that users write in Python.

    `setup` runs once, `reshape` before every forward; both receive the lists of blobs `bottom` and `top`. `param_str`
    is the prototxt's text, `phase` is caffe.TRAIN or caffe.TEST, and `blobs` holds the weights (`self.blobs.add_blob(3,
    4)` in setup).
    """

    blobs: PythonParameters
    param_str: str
    param_str_: str  # the name in Caffes before 2015
    phase: Phase

    def __init__(self, layer_param: caffe_pb2.LayerParameter, *_: Any) -> None:
        self.layer_param = layer_param

    @property
    def type(self) -> str:
        return str(self.layer_param.type)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Reads `param_str` and creates weights."""

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Sets the shapes of the tops."""
        self._miss("reshape(self, bottom, top)")

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Writes `top[i].data`."""
        self._miss("forward(self, bottom, top)")

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Writes `bottom[i].diff` where `propagate_down[i]`, and adds to `self.blobs[i].diff`."""
        self._miss("backward(self, top, propagate_down, bottom)")

    def _miss(self, method: str) -> None:
        raise MissingFeatureError(
            f"layer '{self.layer_param.name}' ({self.type}): expected {type(self).__name__} to define {method}"
        )

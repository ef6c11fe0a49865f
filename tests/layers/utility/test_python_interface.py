"""The base of users' layers."""

import pytest

from caffe_compat.errors import MissingFeatureError
from caffe_compat.proto import caffe_pb2
from tests.layers.utility.user_layers import Empty


def test_names_the_method_that_is_missing() -> None:
    layer = Empty(caffe_pb2.LayerParameter(name="e", type="Python"))
    layer.setup([], [])
    assert layer.type == "Python"
    with pytest.raises(MissingFeatureError, match=r"^layer 'e' \(Python\): expected Empty to define reshape\(self, "):
        layer.reshape([], [])
    with pytest.raises(MissingFeatureError, match=r"^layer 'e' \(Python\): expected Empty to define forward\(self, "):
        layer.forward([], [])
    with pytest.raises(
        MissingFeatureError, match=r"^layer 'e' \(Python\): expected Empty to define backward\(self, top"
    ):
        layer.backward([], [], [])

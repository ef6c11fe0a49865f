"""Every layer type; importing this package registers them all.

It also is pycaffe's `layers`: after `from caffe_compat import layers as L`, `L.Convolution(...)` specifies a layer.
"""

from collections.abc import Callable
from typing import Any

from caffe_compat.layers import activation, common, data, loss, normalization, recurrent, utility, vision
from caffe_compat.layers.base import Layer, LayerSpec, LossLayer
from caffe_compat.layers.registry import create_layer, layer_types, register_layer
from caffe_compat.proto import net_spec

__all__ = [
    "Layer",
    "LayerSpec",
    "LossLayer",
    "activation",
    "common",
    "create_layer",
    "data",
    "layer_types",
    "loss",
    "normalization",
    "recurrent",
    "register_layer",
    "utility",
    "vision",
]


def __getattr__(name: str) -> Callable[..., Any]:
    return net_spec.layers.__getattr__(name)

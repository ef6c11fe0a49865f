"""Every layer type; importing this package registers them all.

It also is pycaffe's `layers`: after `from caffe_compat import layers as L`, `L.Convolution(...)` specifies a layer.
"""

import importlib
from collections.abc import Callable
from typing import Any

from caffe_compat.layers import activation, common, data, loss, normalization, recurrent, utility, vision
from caffe_compat.layers.base import Layer, LayerSpec, LossLayer
from caffe_compat.layers.registry import create_layer, layer_types, register_layer

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
    if not name[:1].isupper():
        raise AttributeError(f"no layer type '{name}': types start with a capital")
    # Looked up by name, so that this package does not import pycaffe, which lies above it.
    specified: Callable[..., Any] = getattr(importlib.import_module("caffe_compat.pycaffe.net_spec").layers, name)
    return specified

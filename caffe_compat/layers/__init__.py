"""All layer types; importing this package registers them.

The package also serves as pycaffe's `layers`: after `from caffe_compat import layers as L`, `L.Convolution(...)`
specifies a layer.
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
    # Imported by name at the first use: pycaffe imports this package, so a plain import would be a cycle.
    specified: Callable[..., Any] = getattr(importlib.import_module("caffe_compat.pycaffe.net_spec").layers, name)
    return specified

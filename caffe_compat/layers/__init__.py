"""Every layer type; importing this package registers them all."""

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

"""Layers that read or make data."""

from caffe_compat.layers.data.input import Input as Input

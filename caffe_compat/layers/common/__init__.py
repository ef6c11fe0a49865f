"""Caffe's common layers."""

from caffe_compat.layers.common.dropout import Dropout
from caffe_compat.layers.common.embed import Embed
from caffe_compat.layers.common.inner_product import InnerProduct

__all__ = ["Dropout", "Embed", "InnerProduct"]

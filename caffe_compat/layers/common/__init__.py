"""Caffe's common layers."""

from caffe_compat.layers.common.inner_product import InnerProduct

__all__ = ["InnerProduct"]

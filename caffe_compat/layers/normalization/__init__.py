"""Caffe's normalization layers."""

from caffe_compat.layers.normalization.batch_norm import BatchNorm
from caffe_compat.layers.normalization.bn import BN
from caffe_compat.layers.normalization.lrn import LRN
from caffe_compat.layers.normalization.mvn import MVN
from caffe_compat.layers.normalization.normalize import Normalize, NormalizeBBox

__all__ = ["BN", "LRN", "MVN", "BatchNorm", "Normalize", "NormalizeBBox"]

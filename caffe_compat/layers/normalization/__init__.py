"""Caffe's normalization layers."""

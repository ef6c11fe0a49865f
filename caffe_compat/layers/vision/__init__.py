"""Caffe's vision layers."""

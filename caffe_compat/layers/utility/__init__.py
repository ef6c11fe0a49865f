"""Caffe's utility layers."""

"""Caffe's activation layers."""

"""Reads and writes Caffe's files: messages as text and binary, both dialects, old formats and HDF5."""

from caffe_compat.proto import caffe_pb2 as caffe_pb2

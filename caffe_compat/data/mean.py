"""Reads mean images: BlobProto files written by compute_image_mean."""

import math

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from caffe_compat.data.regular_file import read_regular
from caffe_compat.errors import DataError
from caffe_compat.proto import caffe_pb2

Floats = NDArray[np.float32]


def read_mean(path: str, owner: str) -> Floats:
    """The mean image (channels, height, width) of a .binaryproto; `owner` begins error messages."""
    blob = caffe_pb2.BlobProto()
    content = read_regular(path, owner, "cannot open mean_file")
    try:
        blob.ParseFromString(content)
    except DecodeError as error:
        raise DataError(f"{owner}: mean_file '{path}' is not a BlobProto; make it with compute_image_mean") from error
    shape = tuple(blob.shape.dim) or (blob.num, blob.channels, blob.height, blob.width)
    values = np.asarray(blob.data if len(blob.data) else blob.double_data, np.float32)
    is_image = len(shape) in (3, 4) and min(shape) > 0 and math.prod(shape) == math.prod(shape[-3:]) == values.size
    if not is_image:
        raise DataError(
            f"{owner}: mean_file '{path}' holds {values.size} values of shape {shape[:5]}, expected one image"
        )
    return values.reshape(shape[-3:])

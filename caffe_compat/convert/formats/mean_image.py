"""A mean image: Caffe's .binaryproto as a NumPy array and back."""

import numpy as np

from caffe_compat.errors import FormatError
from caffe_compat.proto.atomic_file import replacing
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.read import read_blob
from caffe_compat.proto.write import write_blob


def convert_mean(source: str, target: str) -> Blob:
    """`mean.binaryproto` to `mean.npy`, or the other way round; the array is (1, channels, height, width), BGR."""
    array: Blob = np.load(source, allow_pickle=False) if source.endswith(".npy") else read_blob(source)
    if array.dtype != np.float32:
        raise FormatError(f"{source}: expected float32 values, found {array.dtype}; save the array as float32")
    if target.endswith(".npy"):
        with replacing(target) as beside, open(beside, "wb") as file:
            np.save(file, array)
    else:
        write_blob(target, array)
    return array

"""Converts BlobProto and Datum to NumPy arrays and back (the first part of pycaffe's io)."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.sources import datums
from caffe_compat.errors import DataError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import blob_shape
from caffe_compat.pycaffe.array_error import ArrayError

Array = NDArray[Any]


def blobproto_to_array(blob: caffe_pb2.BlobProto, return_diff: bool = False) -> Array:
    """Returns the data (or the diff) as float64, with the new or the old kind of shape; without a shape, one number.

    ArrayError if the number of values does not fit the shape.
    """
    values = np.array((blob.diff or blob.double_diff) if return_diff else (blob.data or blob.double_data), np.float64)
    shape = blob_shape(blob)
    if values.size != np.prod(shape, dtype=int):
        raise ArrayError(f"expected a blob of {np.prod(shape, dtype=int)} numbers {shape}, got {values.size}")
    return values.reshape(shape)


def array_to_blobproto(arr: Array, diff: Array | None = None) -> caffe_pb2.BlobProto:
    """Returns a BlobProto with any number of axes; ArrayError if `diff` has another shape than `arr`."""
    if diff is not None and diff.shape != arr.shape:
        raise ArrayError(f"expected a diff of shape {arr.shape}, as the data, got {diff.shape}")
    blob = caffe_pb2.BlobProto(data=arr.astype(float).ravel())
    blob.shape.dim.extend(arr.shape)
    if diff is not None:
        blob.diff.extend(diff.astype(float).ravel())
    return blob


def arraylist_to_blobprotovector_str(arraylist: Iterable[Array]) -> bytes:
    """Returns the arrays as a serialized BlobProtoVector."""
    serialized: bytes = caffe_pb2.BlobProtoVector(blobs=map(array_to_blobproto, arraylist)).SerializeToString()
    return serialized


#: The misspelt name that the function had until 2015.
arraylist_to_blobprotovecor_str = arraylist_to_blobprotovector_str


def blobprotovector_str_to_arraylist(serialized: bytes) -> list[Array]:
    """Returns the arrays of a serialized BlobProtoVector."""
    return [blobproto_to_array(blob) for blob in caffe_pb2.BlobProtoVector.FromString(serialized).blobs]


def array_to_datum(arr: Array, label: int | None = None) -> caffe_pb2.Datum:
    """Returns a Datum of an array (channels, height, width): bytes for uint8, float_data for other types.

    ArrayError if the array has not 3 axes.
    """
    if arr.ndim != 3:
        raise ArrayError(f"incorrect array shape: expected 3 axes (channels, height, width), got {arr.shape}")
    return datums.array_to_datum(arr, label)


def datum_to_array(datum: caffe_pb2.Datum) -> Array:
    """Returns the array (channels, height, width) of a Datum: uint8 for bytes, else float64; without the label.

    ArrayError for an encoded Datum.
    """
    if datum.encoded:
        raise ArrayError(
            "the Datum is encoded: an image file; read it by cv2.imdecode(np.frombuffer(datum.data, np.uint8), 1)"
        )
    try:
        array = datums.datum_to_array(datum)
    except DataError as error:
        raise ArrayError(str(error)) from error
    return array if array.dtype == np.uint8 else array.astype(np.float64)

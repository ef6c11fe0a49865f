"""pycaffe's `caffe.io`: conversion of messages to arrays, images, and the Transformer of images to inputs.

It stands apart, because users import it as `caffe.io`.
"""

from caffe_compat.proto import caffe_pb2
from caffe_compat.pycaffe.arrays import (
    array_to_blobproto,
    array_to_datum,
    arraylist_to_blobprotovecor_str,
    arraylist_to_blobprotovector_str,
    blobproto_to_array,
    blobprotovector_str_to_arraylist,
    datum_to_array,
)
from caffe_compat.pycaffe.images import load_image, oversample, resize_image
from caffe_compat.pycaffe.transformer import Transformer

__all__ = [
    "Transformer",
    "array_to_blobproto",
    "array_to_datum",
    "arraylist_to_blobprotovecor_str",
    "arraylist_to_blobprotovector_str",
    "blobproto_to_array",
    "blobprotovector_str_to_arraylist",
    "caffe_pb2",
    "datum_to_array",
    "load_image",
    "oversample",
    "resize_image",
]

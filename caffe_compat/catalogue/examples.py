"""Builds the smallest example of every layer type, and the files that some examples read.

They stand apart from the page, because tests build the same examples.
"""

from pathlib import Path

import cv2
import h5py
import numpy as np
from google.protobuf import text_format

from caffe_compat.data.lmdb_writer import LmdbWriter
from caffe_compat.layers.registry import layer_class
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.proto import caffe_pb2

IMAGE = "image_0001.jpg"  # VideoData's name for the first frame
SIZE = 8  # pixels per side


def example_of(layer_type: str, files: Path) -> caffe_pb2.LayerParameter:
    """The type's own `example`, with as few bottoms and tops as the type allows.

    `files` is a folder filled by `write_files`.
    """
    kind = layer_class(LayerSpec(caffe_pb2.LayerParameter(name=layer_type, type=layer_type)))
    text = kind.example.replace("FILES", str(files))
    parameter = text_format.Parse(text, caffe_pb2.LayerParameter(name=layer_type, type=layer_type))
    if not parameter.bottom:
        parameter.bottom.extend(f"bottom{index}" for index in range(kind.bottoms.least))
        parameter.top.extend(f"top{index}" for index in range(kind.tops.least))
    return parameter


def write_files(folder: Path) -> None:
    """Writes a grey image as a file, a video, a window and a database record, and a row of HDF5 data."""
    pixels = np.full((SIZE, SIZE, 3), 128, np.uint8)
    cv2.imwrite(str(folder / IMAGE), pixels)
    (folder / "images.txt").write_text(f"{IMAGE} 0\n")
    (folder / "videos.txt").write_text(f"{folder} 1 0\n")
    windows = "1 1.0 0 0 3 3\n0 0.0 4 4 7 7\n"
    (folder / "windows.txt").write_text(f"# 0\n{folder / IMAGE}\n3\n{SIZE}\n{SIZE}\n2\n{windows}")
    (folder / "hdf5.txt").write_text(f"{folder / 'data.h5'}\n")
    with h5py.File(folder / "data.h5", "w") as file:
        file["top0"] = np.zeros((1, 2), np.float32)
    datum = caffe_pb2.Datum(channels=3, height=SIZE, width=SIZE, data=pixels.tobytes(), label=0)
    with LmdbWriter(str(folder / "records")) as records:
        records.put(b"00000000", datum)

"""The smallest layer of every type that can be built, and files for those that read some."""

from pathlib import Path

import cv2
import h5py
import numpy as np
from google.protobuf import text_format

from caffe_compat.data.lmdb_writer import LmdbWriter
from caffe_compat.layers.registry import layer_class
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.proto import caffe_pb2

#: What a type needs besides bottoms and tops; FILES is the folder that `write_files` has filled.
FIELDS = {
    "Clip": "clip_param { min: 0 max: 1 }",
    "Convolution": "convolution_param { num_output: 1 kernel_size: 1 }",
    "ConvolutionDepthwise": "convolution_param { num_output: 1 kernel_size: 1 }",
    "Data": "data_param { source: 'FILES/records' backend: LMDB batch_size: 1 }",
    "Deconvolution": "convolution_param { num_output: 1 kernel_size: 1 }",
    "DepthwiseConvolution": "convolution_param { num_output: 1 kernel_size: 1 }",
    "DetectionOutput": "detection_output_param { num_classes: 2 }",
    "DummyData": "dummy_data_param { shape { } }",
    "Embed": "embed_param { num_output: 1 input_dim: 1 }",
    "Filter": "bottom: 'a' bottom: 'b' top: 'c'",
    "HDF5Data": "hdf5_data_param { source: 'FILES/hdf5.txt' batch_size: 1 }",
    "HDF5Output": "hdf5_output_param { file_name: 'FILES/output.h5' }",
    "ImageData": "image_data_param { source: 'FILES/images.txt' root_folder: 'FILES/' }",
    "Im2col": "convolution_param { kernel_size: 1 }",
    "InfogainLoss": "infogain_loss_param { source: 'FILES/matrix.binaryproto' }",
    "InnerProduct": "inner_product_param { num_output: 1 }",
    "Interp": "interp_param { height: 1 width: 1 }",
    "LSTM": "recurrent_param { num_output: 1 }",
    "MemoryData": "memory_data_param { batch_size: 1 channels: 1 height: 1 width: 1 }",
    "Normalize": "norm_param { }",
    "Pooling": "pooling_param { kernel_size: 1 }",
    "PriorBox": "prior_box_param { min_size: 1 }",
    "Python": "python_param { module: 'caffe_compat.layers.utility.python_interface' layer: 'PythonLayer' }",
    "RNN": "recurrent_param { num_output: 1 }",
    "ROIPooling": "roi_pooling_param { pooled_h: 1 pooled_w: 1 }",
    "SPP": "spp_param { pyramid_height: 1 }",
    "ShuffleChannel": "shuffle_channel_param { group: 1 }",
    "Tile": "tile_param { tiles: 1 }",
    "Upsample": "bottom: 'a' bottom: 'mask' top: 'b'",
    "VideoData": "video_data_param { source: 'FILES/videos.txt' batch_size: 1 modality: RGB }",
    "WindowData": "window_data_param { source: 'FILES/windows.txt' batch_size: 1 } transform_param { crop_size: 4 }",
}

IMAGE = "image_0001.jpg"  # VideoData's name of a first frame
SIZE = 8  # pixels a side


def example_of(layer_type: str, files: Path) -> caffe_pb2.LayerParameter:
    """A layer of the type, with as few bottoms and tops as it may have."""
    text = FIELDS.get(layer_type, "").replace("FILES", str(files))
    parameter = text_format.Parse(text, caffe_pb2.LayerParameter(name=layer_type, type=layer_type))
    kind = layer_class(LayerSpec(parameter))
    if not parameter.bottom:
        parameter.bottom.extend(f"bottom{index}" for index in range(kind.bottoms.least))
        parameter.top.extend(f"top{index}" for index in range(kind.tops.least))
    return parameter


def write_files(folder: Path) -> None:
    """One grey image, as a file, a video, a window and a record; one row of HDF5 data."""
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

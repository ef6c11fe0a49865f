"""Layers that read or generate data, and HDF5Output, which writes data."""

from caffe_compat.layers.data.data import Data as Data
from caffe_compat.layers.data.dummy_data import DummyData as DummyData
from caffe_compat.layers.data.hdf5_data import HDF5Data as HDF5Data
from caffe_compat.layers.data.hdf5_output import HDF5Output as HDF5Output
from caffe_compat.layers.data.image_data import ImageData as ImageData
from caffe_compat.layers.data.input import Input as Input
from caffe_compat.layers.data.memory_data import MemoryData as MemoryData
from caffe_compat.layers.data.video_data import VideoData as VideoData
from caffe_compat.layers.data.window_data import WindowData as WindowData

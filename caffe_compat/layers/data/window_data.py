"""WindowData: random windows of images, for R-CNN (window_data_layer.cpp)."""

import logging

import numpy as np

from caffe_compat.data.image_size import require_pixels
from caffe_compat.data.mean import read_mean
from caffe_compat.data.sources.window_file import read_window_file
from caffe_compat.data.sources.windows import Finish, Windows
from caffe_compat.data.transform import Transform
from caffe_compat.data.window_warp import Warp
from caffe_compat.errors import DataError, FieldError
from caffe_compat.layers.base import exactly
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.data.base_data import PrefetchingData
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import LayerSpec, Params
from caffe_compat.proto import caffe_pb2

logger = logging.getLogger("caffe_compat")

_CHANNELS = 3


@register_layer("WindowData")
class WindowData(PrefetchingData):
    """Windows warped to crop_size: first background windows, then a share fg_fraction of windows on objects."""

    known_to = BVLC_AND_SRN
    example = "window_data_param { source: 'FILES/windows.txt' batch_size: 1 } transform_param { crop_size: 4 }"
    tops = exactly(2)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params, transform = spec.params("window_data_param"), spec.params("transform_param")
        if not transform.crop_size:
            raise FieldError(f"{spec}: transform_param.crop_size must be set: windows are warped to it")
        require_pixels(transform.crop_size, transform.crop_size, f"{spec}: transform_param.crop_size asks for an image")
        if params.crop_mode not in ("warp", "square"):
            raise FieldError(f"{spec}: expected crop_mode 'warp' or 'square', got '{params.crop_mode}'")
        if not 0 <= params.fg_fraction <= 1:
            raise FieldError(f"{spec}: expected fg_fraction from 0 to 1, got {params.fg_fraction:g}")
        if 2 * params.context_pad >= transform.crop_size:
            raise FieldError(
                f"{spec}: expected context_pad below half of crop_size {transform.crop_size}, got {params.context_pad}"
            )
        owner = str(spec)
        # The upgrade of V1 nets moves `scale` here, where Caffe's layer never reads it: such nets train unscaled.
        transform.ignore("scale")
        if spec.parameter.transform_param.scale != 1:
            logger.warning(
                "%s: transform_param.scale changes nothing here, as in Caffe; window_data_param.scale counts", owner
            )
        source = Windows(
            read_window_file(params.source, params.fg_threshold, params.bg_threshold, owner, params.root_folder),
            params.batch_size,
            int(np.float32(params.batch_size) * np.float32(params.fg_fraction)),
            Warp(transform.crop_size, params.context_pad, params.crop_mode == "square"),
            Finish(_mean(transform, owner), params.scale),
            transform.mirror,
            params.cache_images,
            owner,
        )
        nothing = caffe_pb2.TransformationParameter()
        self.start(source, Transform(nothing, spec.phase, owner), params.batch_size, shuffle=False, arithmetic=nothing)

    @property
    def share(self) -> tuple[int, int]:
        """(0, 1) in every process: windows are random draws, so there is nothing to divide among processes."""
        return 0, 1


def _mean(transform: Params, owner: str) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    """What to subtract: the central part of the mean image, or one number per channel; channels are the last axis."""
    values, size = transform.mean_value, transform.crop_size
    if transform.mean_file and values:
        raise FieldError(f"{owner}: cannot specify mean_file and mean_value at the same time")
    if not transform.mean_file:
        if len(values) not in (0, 1, _CHANNELS):
            raise FieldError(
                f"{owner}: specify either 1 mean_value or as many as channels ({_CHANNELS}), got {len(values)}"
            )
        return np.asarray(values or [0.0], np.float32)
    mean = read_mean(transform.mean_file, owner)
    # Caffe computes the offset from the width and uses it for both axes.
    offset = (mean.shape[2] - size) // 2
    middle = mean[:, offset : offset + size, offset : offset + size] if offset >= 0 else mean[:, :0]
    if middle.shape != (_CHANNELS, size, size):
        raise DataError(f"{owner}: mean_file has shape {mean.shape}, too small for crop_size {size}")
    return middle.transpose(1, 2, 0)

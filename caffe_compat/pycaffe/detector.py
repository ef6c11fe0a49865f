"""pycaffe's Detector: a net that classifies windows of images, with context around them (R-CNN)."""

import importlib
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import MissingFeatureError, ShapeError
from caffe_compat.proto.caffe_pb2 import TEST
from caffe_compat.pycaffe.classifier import image_transformer
from caffe_compat.pycaffe.images import load_image, resize_image
from caffe_compat.pycaffe.net import Net

Array = NDArray[Any]
ImageWindows = tuple[str, Iterable[Any]]


class Detector(Net):
    """Warps windows (ymin, xmin, ymax, xmax) to the net's size, with `context_pad` pixels of context around each."""

    def __init__(
        self,
        model_file: str,
        pretrained_file: str,
        mean: Array | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.transformer = image_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(self, images_windows: Iterable[ImageWindows]) -> list[dict[str, Any]]:
        """Returns one dict per window: `filename`, `window` and `prediction`, the net's first output for it."""
        places, crops = [], []
        for filename, windows in images_windows:
            image = load_image(filename)
            for window in windows:
                places.append((filename, window))
                crops.append(self.crop(image, window))
        name = self.inputs[0]
        batch: dict[str, Any] = {name: np.stack([self.transformer.preprocess(name, crop) for crop in crops])}
        predictions = self.forward_all(**batch)[self.outputs[0]]
        return [
            {"window": window, "prediction": prediction, "filename": filename}
            for (filename, window), prediction in zip(places, predictions, strict=True)
        ]

    def detect_selective_search(self, image_fnames: Sequence[str]) -> list[dict[str, Any]]:
        """`detect_windows` on the proposals of selective search, a program for MATLAB that must be installed."""
        try:
            search = importlib.import_module("selective_search_ijcv_with_python")
        except ModuleNotFoundError as error:
            raise MissingFeatureError(
                "selective search needs the module selective_search_ijcv_with_python and MATLAB; "
                "give windows of another source to detect_windows"
            ) from error
        paths = [os.path.abspath(name) for name in image_fnames]
        return self.detect_windows(zip(paths, search.get_windows(paths, cmd="selective_search_rcnn"), strict=True))

    def crop(self, im: Array, window: Any) -> Array:
        """Returns the window of an image.

        With context, returns an image of the net's size around the window; pixels beyond the edges are the mean.
        """
        if not self.context_pad:
            top, left, bottom, right = np.asarray(window).astype(int)
            return im[top:bottom, left:right]
        return self._crop_with_context(im, np.asarray(window, float))

    def _crop_with_context(self, im: Array, window: Array) -> Array:
        size = self.crop_dims[1]  # assumes a square input of the net
        box = _widened(window, size / (size - self.context_pad * 2))
        full_height, full_width = _extent(box)
        row_scale, column_scale = size / full_height, size / full_width
        pad_top, pad_left = _rounded(max(0, -box[0]) * row_scale), _rounded(max(0, -box[1]) * column_scale)
        rows, columns = im.shape[:2]
        clipped = np.clip(box, 0, [rows, columns, rows, columns])
        height, width = _extent(clipped)
        height = min(_rounded(height * row_scale), size - pad_top)
        width = min(_rounded(width * column_scale), size - pad_left)
        top, left, bottom, right = clipped.astype(int)
        if top >= bottom or left >= right:
            raise ShapeError(f"window {window.tolist()} lies outside of the image of {rows} x {columns} pixels")
        crop = np.ones(self.crop_dims, np.float32) * self.crop_mean
        context = resize_image(im[top:bottom, left:right], (height, width))
        crop[pad_top : pad_top + height, pad_left : pad_left + width] = context
        return crop

    def configure_crop(self, context_pad: int | None) -> None:
        """Sets the number of pixels of the net's input that show context; None means windows without context."""
        name = self.inputs[0]
        self.context_pad = context_pad or 0
        channels, rows, columns = self.blobs[name].data.shape[1:]
        self.crop_dims = (rows, columns, channels)
        self.crop_mean = self._mean_as_image(name)

    def _mean_as_image(self, name: str) -> Array:
        """Returns the mean in the image's own units and order, (rows, columns, channels) or (1, 1, channels)."""
        if name not in self.transformer.mean:
            return np.zeros(self.crop_dims, np.float32)
        mean = self.transformer.mean[name].transpose(1, 2, 0)
        if name in self.transformer.channel_swap:
            mean = mean[:, :, np.argsort(self.transformer.channel_swap[name])]
        return mean / self.transformer.raw_scale.get(name, 1)


def _widened(window: Array, scale: float) -> Array:
    """Returns the window scaled about its centre, in whole pixels."""
    half_height, half_width = (extent / 2 for extent in _extent(window))
    centre = np.array([window[0] + half_height, window[1] + half_width])
    reach = scale * np.array([-half_height, -half_width, half_height, half_width])
    widened: Array = np.round(np.tile(centre, 2) + reach)
    return widened


def _extent(box: Array) -> tuple[float, float]:
    """Returns height and width of a box, whose last row and column are included."""
    return box[2] - box[0] + 1, box[3] - box[1] + 1


def _rounded(size: float) -> int:
    """Returns the size rounded to an integer, halves upwards, as in Python 2."""
    return int(np.floor(size + 0.5))

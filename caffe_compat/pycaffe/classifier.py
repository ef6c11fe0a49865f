"""pycaffe's Classifier: a net that classifies images of any size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.convert.formats.numpy_file import load_npy
from caffe_compat.errors import FormatError
from caffe_compat.net.settings import set_mode_cpu, set_mode_gpu
from caffe_compat.proto.caffe_pb2 import TEST
from caffe_compat.pycaffe.images import oversample as crops_of
from caffe_compat.pycaffe.images import resize_image
from caffe_compat.pycaffe.net import Net
from caffe_compat.pycaffe.transformer import Transformer

Array = NDArray[Any]

MEAN_CURE = "save the mean with numpy.save"


def image_transformer(
    net: Net,
    mean: Array | None = None,
    input_scale: float | None = None,
    raw_scale: float | None = None,
    channel_swap: Sequence[int] | None = None,
) -> Transformer:
    """Returns a Transformer that converts an image (height, width, channels) to the net's first input."""
    name = net.inputs[0]
    transformer = Transformer({name: net.blobs[name].data.shape})
    transformer.set_transpose(name, (2, 0, 1))
    if mean is not None:
        transformer.set_mean(name, mean)
    if input_scale is not None:
        transformer.set_input_scale(name, input_scale)
    if raw_scale is not None:
        transformer.set_raw_scale(name, raw_scale)
    if channel_swap is not None:
        transformer.set_channel_swap(name, channel_swap)
    return transformer


def _mean_in(path: str) -> Array:
    """Returns the mean in a .npy file; FormatError for any other file."""
    mean = load_npy(path, MEAN_CURE)
    if mean.dtype.kind not in "biuf":
        raise FormatError(f"{path}: expected a mean as an array of numbers, found {mean.dtype}; {MEAN_CURE}")
    return mean


class Classifier(Net):
    """Scales images to `image_dims` (the net's own size if None) and crops them to the net's size.

    `gpu` and `mean_file` (an array, .npy) are arguments of pycaffe in 2014.
    """

    def __init__(
        self,
        model_file: str,
        pretrained_file: str,
        image_dims: Sequence[int] | None = None,
        mean: Array | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        gpu: bool | None = None,
        mean_file: str | None = None,
    ) -> None:
        if gpu is not None:
            (set_mode_gpu if gpu else set_mode_cpu)()
        if mean_file is not None:
            mean = _mean_in(mean_file)
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.transformer = image_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[self.inputs[0]].data.shape[2:])
        self.image_dims = self.crop_dims if image_dims is None else np.array(image_dims)

    def predict(self, inputs: Sequence[Array], oversample: bool = True) -> Array:
        """Returns the first output, (images, classes), for images (height, width, channels).

        With `oversample` the mean over ten crops (corners, centre and their mirror images), else the centre crop's.
        """
        scaled = np.stack([resize_image(image, self.image_dims) for image in inputs])
        crops = crops_of(scaled, self.crop_dims) if oversample else self._centres(scaled)
        name = self.inputs[0]
        batch: dict[str, Any] = {name: np.stack([self.transformer.preprocess(name, crop) for crop in crops])}
        predictions = self.forward_all(**batch)[self.outputs[0]]
        return predictions.reshape(len(scaled), 10, -1).mean(1) if oversample else predictions

    def _centres(self, images: Array) -> Array:
        top, left = (self.image_dims / 2 - self.crop_dims / 2).astype(int)
        height, width = self.crop_dims
        return images[:, top : top + height, left : left + width]

"""The first convolution on other pixels: RGB in parts of 1, normalised, or Caffe's BGR from 0 to 255 less a mean.

With z the pixel that Caffe's net sees, in channel c, m and d the project's mean and deviation of c, and M Caffe's mean:
a normalised pixel is ((z + M) / 255 - m) / d = z / (255 d) + (M - 255 m) / (255 d). So the weights of channel c are
divided by 255 d, and what the second term adds to each output goes into the running mean of the normalisation behind.

Around the image both nets read zeros. A zero is the project's mean in one net and Caffe's mean in the other, so the two
agree there exactly where M = 255 m, which is the default. With another mean the outermost outputs differ a little.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caffe_compat.convert.pretrained.naming import Normalization
from caffe_compat.proto.blobs import Blob

Floats = NDArray[np.float64]
Mean = tuple[float, float, float]

LARGEST_PIXEL = 255.0


@dataclass(frozen=True)
class Pixels:
    """What both nets are shown: the project's normalisation of RGB, and Caffe's mean in B, G, R.

    None stands for the project's own, and for the mean that makes both nets agree at the border.
    """

    normalization: Normalization | None = None
    mean: Mean | None = None

    def normalized(self, usual: Normalization) -> Normalization:
        """The project's normalisation, which is `usual` where nothing else is said."""
        return self.normalization or usual

    def caffe_mean(self, usual: Normalization) -> Mean:
        """B, G, R."""
        if self.mean is not None:
            return self.mean
        red, green, blue = (LARGEST_PIXEL * value for value in self.normalized(usual).mean)
        return blue, green, red


USUAL = Pixels()


def to_caffe(weight: Blob, pixels: Pixels, usual: Normalization) -> tuple[Blob, Floats]:
    """The weight (outputs, 3, height, width) for Caffe's pixels, and what each output lacks then.

    The second array is what the project's convolution adds to every output away from the border; it is zero where the
    means agree.
    """
    scales = LARGEST_PIXEL * np.array(pixels.normalized(usual).std, np.float64)[::-1]
    bgr = weight[:, ::-1].astype(np.float64) / scales[:, None, None]
    return bgr.astype(np.float32), _offset(bgr, pixels, usual)


def from_caffe(weight: Blob, pixels: Pixels, usual: Normalization) -> tuple[Blob, Floats]:
    """The weight for the project's pixels, and what each output lacks then."""
    scales = LARGEST_PIXEL * np.array(pixels.normalized(usual).std, np.float64)[::-1]
    rgb = (weight.astype(np.float64) * scales[:, None, None])[:, ::-1]
    return rgb.astype(np.float32), -_offset(weight.astype(np.float64), pixels, usual)


def _offset(bgr: Floats, pixels: Pixels, usual: Normalization) -> Floats:
    """The sum over a window of weights for Caffe's pixels times M - 255 m."""
    own = LARGEST_PIXEL * np.array(pixels.normalized(usual).mean, np.float64)[::-1]
    difference = np.array(pixels.caffe_mean(usual), np.float64) - own
    offset: Floats = np.einsum("ochw,c->o", bgr, difference)
    return offset

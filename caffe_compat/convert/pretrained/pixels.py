"""Converts the first convolution between normalised RGB from 0 to 1 and Caffe's BGR from 0 to 255 minus a mean.

With z the pixel that Caffe's net sees, in channel c, m and d the project's mean and deviation of c, and M Caffe's mean:
a normalised pixel is ((z + M) / 255 - m) / d = z / (255 d) + (M - 255 m) / (255 d). So the weights of channel c are
divided by 255 d. The running mean of the next normalisation absorbs the second term's contribution to each output.

Around the image both nets read zeros. A zero is the project's mean in one net and Caffe's mean in the other. So both
nets agree at the border exactly if M = 255 m, the default. With another mean the outermost outputs differ a little.
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
    """The pixels of both nets: the project's normalisation of RGB, and Caffe's mean in B, G, R.

    None means the project's usual normalisation, and the mean with which both nets agree at the border.
    """

    normalization: Normalization | None = None
    mean: Mean | None = None

    def normalized(self, usual: Normalization) -> Normalization:
        """Returns the project's normalisation; `usual` if none was given."""
        return self.normalization or usual

    def caffe_mean(self, usual: Normalization) -> Mean:
        """Returns Caffe's mean (B, G, R), each from 0 to 255; 255 times the project's mean if none was given."""
        if self.mean is not None:
            return self.mean
        red, green, blue = (LARGEST_PIXEL * value for value in self.normalized(usual).mean)
        return blue, green, red


USUAL = Pixels()


def to_caffe(weight: Blob, pixels: Pixels, usual: Normalization) -> tuple[Blob, Floats]:
    """Returns the weight (outputs, 3, height, width) for Caffe's pixels, and an offset (outputs,).

    The offset is the part of the project's outputs, away from the border, that the new weight does not compute. It is
    zero if the means agree.
    """
    scales = LARGEST_PIXEL * np.array(pixels.normalized(usual).std, np.float64)[::-1]
    bgr = weight[:, ::-1].astype(np.float64) / scales[:, None, None]
    return bgr.astype(np.float32), _offset(bgr, pixels, usual)


def from_caffe(weight: Blob, pixels: Pixels, usual: Normalization) -> tuple[Blob, Floats]:
    """Returns the weight for the project's pixels, and the offset (outputs,) that the new weight does not compute."""
    scales = LARGEST_PIXEL * np.array(pixels.normalized(usual).std, np.float64)[::-1]
    rgb = (weight.astype(np.float64) * scales[:, None, None])[:, ::-1]
    return rgb.astype(np.float32), -_offset(weight.astype(np.float64), pixels, usual)


def _offset(bgr: Floats, pixels: Pixels, usual: Normalization) -> Floats:
    """Returns, per output, the sum over the window of weights for Caffe's pixels times (M - 255 m)."""
    own = LARGEST_PIXEL * np.array(pixels.normalized(usual).mean, np.float64)[::-1]
    difference = np.array(pixels.caffe_mean(usual), np.float64) - own
    offset: Floats = np.einsum("ochw,c->o", bgr, difference)
    return offset

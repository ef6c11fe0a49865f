"""Image files as the released SRN takes them: BGR from 0 to 255 minus the mean of ImageNet, the whole image resized."""

import numpy as np
from numpy.typing import NDArray

from caffe_compat.convert.running_net import stored_preprocessing
from caffe_compat.data.preprocessing import BGR, Preprocessing
from caffe_compat.net.net import Net

MEAN_BGR = (104, 117, 123)
RELEASED = Preprocessing(BGR, MEAN_BGR)


def net_input(path: str, height: int, width: int) -> NDArray[np.float32]:
    """An image file as (3, height, width), blue first, 0 to 255 minus the mean; the whole image, not cropped.

    Raises DataError as `read_picture` does.
    """
    return RELEASED.input_of(path, height, width)


def run_on_image(net: Net, image: str) -> None:
    """Runs a net on one image file, prepared as the net says, or as in the released test where the net says nothing.

    Raises DataError where the image cannot be read.
    """
    data = net.blobs[net.inputs[0]]
    _, channels, height, width = data.shape
    data.reshape(1, channels, height, width)
    net.reshape()
    data.data[0] = (stored_preprocessing(net) or RELEASED).input_of(image, height, width)
    net.forward_range(0, len(net.steps) - 1)

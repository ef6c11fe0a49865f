"""Image files as the released SRN takes them: BGR from 0 to 255 minus the mean of ImageNet, the whole image resized."""

import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.preprocessing import BGR, Preprocessing

MEAN_BGR = (104, 117, 123)
RELEASED = Preprocessing(BGR, MEAN_BGR)


def net_input(path: str, height: int, width: int) -> NDArray[np.float32]:
    """An image file as (3, height, width), blue first, 0 to 255 minus the mean; the whole image, not cropped.

    Raises DataError as `read_picture` does.
    """
    return RELEASED.input_of(path, height, width)

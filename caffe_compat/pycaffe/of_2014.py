"""Methods for scripts of 2014: setting the phase after building, and preparing images with the net.

Since December 2014 the phase is an argument of Net, and caffe.io.Transformer prepares images.
"""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import GraphError
from caffe_compat.net.settings import set_device, set_mode_cpu, set_mode_gpu
from caffe_compat.pycaffe.array_error import ArrayError
from caffe_compat.pycaffe.images import resize_image
from caffe_compat.pycaffe.net_structure import NetStructure
from caffe_compat.pycaffe.transformer import Transformer

logger = logging.getLogger("caffe_compat")

Array = NDArray[Any]


class Of2014(NetStructure):
    """Methods of a Net of 2014, with the same results as then; `preprocess` does not change its image.

    The first use of `preprocess` or its settings logs a warning that names today's functions.
    """

    def set_phase_test(self) -> None:
        """Checks that the net was built for TEST, as Net(file, weights) does; GraphError for a net of TRAIN."""
        self._require_phase("TEST")

    def set_phase_train(self) -> None:
        """Checks that the net was built for TRAIN; GraphError for a net of TEST, whose layers cannot change."""
        self._require_phase("TRAIN")

    def _require_phase(self, wanted: str) -> None:
        if self.phase != wanted:
            raise GraphError(
                f"a net of phase {self.phase} cannot become one of {wanted}: "
                f"build it by caffe.Net(file, caffe.{wanted}, weights=weights)"
            )

    def set_mode_cpu(self) -> None:
        """As caffe.set_mode_cpu(), which is for the whole process."""
        set_mode_cpu()

    def set_mode_gpu(self) -> None:
        """As caffe.set_mode_gpu(), which is for the whole process."""
        set_mode_gpu()

    def set_device(self, number: int) -> None:
        """As caffe.set_device(number), which is for the whole process."""
        set_device(number)

    @property
    def _preparation(self) -> Transformer:
        """The Transformer of this net's images, made at the first use."""
        if "_transformer_of_2014" not in self.__dict__:
            logger.warning("Net.preprocess and its set_... are of 2014: caffe.io.Transformer has them today")
            shapes = {name: self.blobs[name].data.shape for name in self.inputs}
            self.__dict__["_transformer_of_2014"] = Transformer(shapes)
        transformer: Transformer = self.__dict__["_transformer_of_2014"]
        return transformer

    def set_mean(self, input_: str, mean: Array, mode: str = "elementwise") -> None:
        """Subtracts the mean (channels, height, width), resized where it must be; mode "channel": its channel means.

        ArrayError for another mode.
        """
        if mode not in ("elementwise", "channel"):
            raise ArrayError(f"input '{input_}': expected mode elementwise or channel, got {mode}")
        mean = np.asarray(mean)
        if mode == "elementwise" and mean.shape[1:] != tuple(self.blobs[input_].data.shape[2:]):
            # Of 2014: resized as it is, while a Transformer scales it to 0..1 first.
            mean = resize_image(mean.transpose(1, 2, 0), self.blobs[input_].data.shape[2:]).transpose(2, 0, 1)
        self._preparation.set_mean(input_, mean.mean(axis=(1, 2)) if mode == "channel" else mean)

    def set_input_scale(self, input_: str, scale: float) -> None:
        """A factor after the mean has been subtracted."""
        self._preparation.set_input_scale(input_, scale)

    def set_raw_scale(self, input_: str, scale: float) -> None:
        """A factor before the mean is subtracted."""
        self._preparation.set_raw_scale(input_, scale)

    def set_channel_swap(self, input_: str, order: Sequence[int]) -> None:
        """Sets the order of channels: (2, 1, 0) converts RGB to BGR."""
        self._preparation.set_channel_swap(input_, order)

    def preprocess(self, input_: str, image: Array) -> Array:
        """Returns (channels, height, width), float32, for an image (height, width, channels), by these settings."""
        self._preparation.transpose.setdefault(input_, (2, 0, 1))
        return self._preparation.preprocess(input_, image)

    def deprocess(self, input_: str, blob: Array) -> Array:
        """Returns the image of an input blob: the steps of `preprocess` in reverse, without resizing."""
        self._preparation.transpose.setdefault(input_, (2, 0, 1))
        return self._preparation.deprocess(input_, blob)

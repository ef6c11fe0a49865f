"""MemoryData: serves arrays that a program passes in (memory_data_layer.cpp)."""

import logging
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.errors import DataError, FieldError, ShapeError
from caffe_compat.layers.base import Shape, exactly
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.data.base_data import DataLayer
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import LayerSpec

logger = logging.getLogger("caffe_compat")


@register_layer("MemoryData")
class MemoryData(DataLayer):
    """Repeats arrays of data (n, channels, height, width) and labels (n,) in batches of batch_size.

    As in Caffe, the label top has shape (batch_size,) when the net is built, and (batch_size, 1, 1, 1) after a forward.
    """

    known_to = BVLC_AND_SRN
    example = "memory_data_param { batch_size: 1 channels: 1 height: 1 width: 1 }"
    tops = exactly(2)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("memory_data_param")
        self._shape: Shape = (params.batch_size, params.channels, params.height, params.width)
        if min(self._shape) < 1:
            raise FieldError(
                f"{spec}: batch_size, channels, height, and width must be specified and positive in memory_data_param, "
                f"got {self._shape}"
            )
        self._data: NDArray[np.float32] | None = None
        self._labels: NDArray[np.float32] | None = None
        self._next = 0

    @property
    def batch_size(self) -> int:
        """The number of items per batch."""
        return self._shape[0]

    def reset(self, data: NDArray[Any], labels: NDArray[Any]) -> None:
        """Sets new arrays and starts at the first item; float32 arrays are not copied."""
        if data.shape[1:] != self._shape[1:] or data.ndim != 4:
            raise ShapeError(
                f"{self.spec}: expected data (n, {', '.join(map(str, self._shape[1:]))}), got {data.shape}"
            )
        if labels.size != len(data):
            raise ShapeError(f"{self.spec}: expected a label for each of {len(data)} items, got {labels.size}")
        if len(data) == 0 or len(data) % self.batch_size:
            raise ShapeError(f"{self.spec}: n must be a multiple of batch size {self.batch_size}, got {len(data)}")
        if self.spec.parameter.HasField("transform_param"):
            logger.warning("%s: MemoryData does not transform array data on Reset()", self.spec)
        self._data = np.asarray(data, np.float32)
        self._labels = np.asarray(labels, np.float32).reshape(-1)
        self._next = 0

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """The shapes that the prototxt gives."""
        return [self._shape, self._shape[:1]]

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        """The next batch: data and labels."""
        if self._data is None or self._labels is None:
            raise DataError(f"{self.spec}: MemoryData needs to be initialized by calling Reset (set_input_arrays)")
        items = slice(self._next, self._next + self.batch_size)
        self._next = items.stop % len(self._data)
        data, labels = (torch.tensor(array[items], device=self.device) for array in (self._data, self._labels))
        return data, labels.view(-1, 1, 1, 1)

    def state(self) -> dict[str, Any]:
        """The number of the next item; the arrays themselves are not part of the state."""
        return {"next": self._next}

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a `state()`; the program must have passed in the arrays before."""
        self._next = state["next"]

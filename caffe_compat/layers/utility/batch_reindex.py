"""BatchReindex (batch_reindex_layer.cpp)."""

from torch import Tensor

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.layers.base import Layer, Shape, exactly, is_eager_on_cpu
from caffe_compat.layers.caffes import BVLC
from caffe_compat.layers.registry import register_layer


@register_layer("BatchReindex")
class BatchReindex(Layer):
    """Selects items of the batch: bottoms x (N, ...) and indices (M,), top (M, ...)."""

    hands_on = "moved"
    known_to = (BVLC,)
    bottoms = exactly(2)
    no_gradient_to = frozenset({1})

    def whole_numbers(self, *bottom_shapes: Shape) -> dict[int, int]:
        return {1: bottom_shapes[0][0]}

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        bottom, indices = bottom_shapes
        if len(indices) != 1 or not bottom:
            raise ShapeError(
                f"{self.spec}: expected bottoms (N, ...) and (M), got {tuple(bottom)} and {tuple(indices)}"
            )
        return [(*indices, *bottom[1:])]

    def forward(self, bottom: Tensor, indices: Tensor) -> Tensor:
        self.top_shapes(bottom.shape, indices.shape)
        index = indices.long()
        self._require_range(index, bottom.shape[0])
        return bottom.index_select(0, index)

    def _require_range(self, index: Tensor, items: int) -> None:
        # On a GPU, the lookup itself fails for a wrong index; a check here would make the host wait for the GPU.
        if index.numel() == 0 or not is_eager_on_cpu(index):
            return
        wrong = index[(index < 0) | (index >= items)]
        if len(wrong):
            raise DataError(f"{self.spec}: expected indices from 0 to {items - 1}, got {int(wrong[0])}")

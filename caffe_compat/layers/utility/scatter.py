"""Scatter (scatter_layer.cpp).

From yjxiong/caffe.
"""

from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, Tops, at_least
from caffe_compat.layers.caffes import SRN_FORK
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.utility.process_group import require_batch, require_equal_counts, scatter


@register_layer("Scatter")
class Scatter(Layer):
    """Gives each process its part of the batch of rank 0; the bottoms themselves for a single process.

    Scatter is the inverse of Gather: backward joins the gradients of all processes, divided by the number of processes.
    """

    known_to = (SRN_FORK,)
    bottoms = at_least(1)
    tops = at_least(1)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        require_equal_counts(spec)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """Shapes of one part, computed because no other process takes part in a setup."""
        for shape in bottom_shapes:
            require_batch(self.spec, shape)
            if shape[0] % self.spec.world_size:
                raise ShapeError(
                    f"{self.spec}: expected a batch that {self.spec.world_size} processes divide, got {shape[0]}"
                )
        return [(shape[0] // self.spec.world_size, *shape[1:]) for shape in bottom_shapes]

    def forward(self, *bottoms: Tensor) -> Tops:
        return tuple(scatter(bottom, self.spec.rank, self.spec.world_size) for bottom in bottoms)

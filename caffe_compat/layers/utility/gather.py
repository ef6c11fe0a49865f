"""Gather (gather_layer.cpp).

From yjxiong/caffe.
"""

from torch import Tensor

from caffe_compat.layers.base import Layer, LayerSpec, Shape, Tops, at_least
from caffe_compat.layers.caffes import SRN_FORK
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.utility.process_group import gather, require_batch, require_equal_counts


@register_layer("Gather")
class Gather(Layer):
    """Joins the batches of all processes on axis 0, in rank order; the bottoms themselves for a single process.

    All processes are assumed to compute the same loss of the joined batch. Backward therefore keeps this process's part
    of the gradient, times the number of processes: gradients of weights are averaged over processes later.
    """

    known_to = (SRN_FORK,)
    bottoms = at_least(1)
    tops = at_least(1)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        require_equal_counts(spec)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """Shapes of the joined batches, computed because no other process takes part in a setup."""
        for shape in bottom_shapes:
            require_batch(self.spec, shape)
        return [(shape[0] * self.spec.world_size, *shape[1:]) for shape in bottom_shapes]

    def forward(self, *bottoms: Tensor) -> Tops:
        return tuple(gather(bottom, self.spec.rank, self.spec.world_size) for bottom in bottoms)

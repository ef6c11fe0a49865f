"""Caffe's LSTMUnit: a single step of an LSTM."""

from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, Shape, Tops, exactly
from caffe_compat.layers.caffes import BVLC
from caffe_compat.layers.registry import register_layer


@register_layer("LSTMUnit")
class LSTMUnit(Layer):
    """Bottoms: cell (1, N, D), gate inputs (1, N, 4 D), cont (1, N). Tops: cell and hidden state (1, N, D)."""

    known_to = (BVLC,)
    bottoms = exactly(3)
    tops = exactly(2)
    no_gradient_to = frozenset({2})
    allows_in_place = False

    def whole_numbers(self, *_bottom_shapes: Shape) -> dict[int, int]:
        return {2: 2}  # cont: 0 where a sequence begins, else 1

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        cell, sums, continues = (tuple(shape) for shape in bottom_shapes)
        steps, streams, outputs = cell if len(cell) == 3 else (0, 0, 0)
        if steps != 1 or sums != (1, streams, 4 * outputs) or continues != (1, streams):
            raise ShapeError(
                f"{self.spec}: expected bottoms (1, N, D), (1, N, 4 D) and (1, N), got {cell}, {sums} and {continues}"
            )
        return [cell, cell]

    def forward(self, cell: Tensor, sums: Tensor, continues: Tensor) -> Tops:
        self.top_shapes(cell.shape, sums.shape, continues.shape)
        return lstm_unit(cell, sums, continues.detach()[..., None])


def lstm_unit(cell: Tensor, sums: Tensor, continues: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the next cell and hidden state (..., D).

    `sums` (..., 4 D) holds input gate, forget gate, output gate and candidate, before their nonlinearities.
    """
    enters, forgets, leaves, candidate = sums.chunk(4, dim=-1)
    cell = continues * forgets.sigmoid() * cell + enters.sigmoid() * candidate.tanh()
    return cell, leaves.sigmoid() * cell.tanh()

"""Caffe's Embed."""

from torch import Tensor
from torch.nn.functional import embedding

from caffe_compat.errors import DataError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, is_eager_on_cpu
from caffe_compat.layers.caffes import BVLC
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.windows import require_positive


@register_layer("Embed")
class Embed(Layer):
    """Top (..., num_output): the row of the weight for each index of the bottom (...), plus a bias.

    Blobs: weight (input_dim, num_output); bias (num_output,).
    """

    known_to = (BVLC,)
    example = "embed_param { num_output: 1 input_dim: 1 }"
    blob_names = ("weight", "bias")
    no_gradient_to = True
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("embed_param")
        self.inputs: int = params.input_dim
        self.outputs: int = params.num_output
        self.has_bias: bool = params.bias_term
        self.weight_filler = params.weight_filler
        self.bias_filler = params.bias_filler
        require_positive(spec, "input_dim and num_output", [self.inputs, self.outputs])

    def setup(self, *bottom_shapes: Shape) -> None:
        self.add_blob((self.inputs, self.outputs), self.weight_filler)
        if self.has_bias:
            self.add_blob((self.outputs,), self.bias_filler)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        return [(*bottom_shapes[0], self.outputs)]

    def whole_numbers(self, *_bottom_shapes: Shape) -> dict[int, int]:
        return {0: self.inputs}

    def bias_blob(self) -> Tensor | None:
        """The bias (outputs,), or None without one."""
        return self.blobs[1] if self.has_bias else None

    def forward(self, bottom: Tensor) -> Tensor:
        indices = bottom.detach().long()
        if is_eager_on_cpu(indices) and bool(((indices < 0) | (indices >= self.inputs)).any()):
            raise DataError(f"{self.spec}: expected indices from 0 to {self.inputs - 1}, got others")
        top = embedding(indices, self.blobs[0])
        bias = self.bias_blob()
        return top if bias is None else top + bias

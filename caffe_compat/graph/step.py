"""Step: a layer and its connections in a net."""

from dataclasses import dataclass, field

from torch import Tensor, nn

from caffe_compat.layers.base import Layer, Shape


@dataclass(eq=False)
class Step:
    """A layer with the names of the blobs it reads and writes; an in-place layer writes a blob that it reads.

    The shapes are those with which the net was built. `caffe_compat.net.gradients_needed` computes `needs_backward`,
    `propagate_down` and `weights_need`. `inputs` and `outputs` are the tensors of the last forward.
    """

    layer: Layer
    bottoms: list[str]
    tops: list[str]
    bottom_shapes: list[Shape]
    top_shapes: list[Shape]
    loss_weights: list[float]
    needs_backward: bool = False
    propagate_down: list[bool] = field(default_factory=list)
    weights_need: list[bool] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)  # bottoms of the last forward, as leaves of its autograd graph
    outputs: list[Tensor] = field(default_factory=list)

    @property
    def learning(self) -> list[nn.Parameter]:
        """The weights whose gradients a backward adds to."""
        everything = self.needs_backward and self.layer.ignores_lr_mult
        return [blob for blob, need in zip(self.layer.blobs, self.weights_need, strict=True) if need or everything]

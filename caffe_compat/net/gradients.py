"""Which layers, bottoms and weights need gradients (Net::Init), and where the gradients of weights are.

What needs gradients depends on propagate_down, lr_mult 0, force_backward, and on which layers lead to a loss.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.layers.base import Layer, LossLayer
from caffe_compat.layers.kept_gradients import gradient_is_kept
from caffe_compat.net.blob import gradient_of
from caffe_compat.net.weights import is_tied, param_spec


@dataclass
class Needs:
    """For each layer: whether its backward runs, and which of its bottoms and weights get gradients."""

    layer: list[bool] = field(default_factory=list)
    bottoms: list[list[bool]] = field(default_factory=list)
    weights: list[list[bool]] = field(default_factory=list)


def find_needs(layers: list[Layer], loss_weights: list[list[float]], force_backward: bool) -> Needs:
    """Returns the needs of all layers: follows learnable weights forwards, then losses backwards.

    `loss_weights` has one list per layer with one number per top. `force_backward` then turns gradients on everywhere.
    """
    needs = _from_weights(layers)
    _prune_what_no_loss_reaches(layers, loss_weights, needs)
    if force_backward:
        _force(layers, needs)
    return needs


def require_possible(layer: Layer, propagate_down: list[bool]) -> None:
    """Raises GraphError if `propagate_down` asks for a gradient that the layer cannot compute.

    Caffe also stops only when backward reaches the layer, so this check runs in backward and not when a net is built.
    """
    for position, wanted in enumerate(propagate_down):
        if not wanted or not _is_never(layer, position) or position in layer.leaves_out_gradient_to:
            continue
        what = "label inputs" if isinstance(layer, LossLayer) and position == 1 else f"bottom {position}"
        raise GraphError(
            f"{layer.spec}: {layer.spec.type} cannot backpropagate to {what} "
            f"('{layer.spec.parameter.bottom[position]}'), but learnable weights lie below; "
            "if they should not learn through it, give the layer one propagate_down a bottom, false for this one"
        )


def gradient_like(layer: Layer, top: str, output: Tensor, gradient: Tensor) -> Tensor:
    """Returns the gradient of a top; ShapeError unless it has the shape of the output that the layer gave last.

    The shapes differ where a Filter has kept other items, or where blobs were reshaped, and no forward pass followed.
    """
    if gradient.shape != output.shape:
        raise ShapeError(
            f"{layer.spec}: expected a gradient of shape {tuple(output.shape)} for top '{top}', as the layer gave it, "
            f"found {tuple(gradient.shape)}; run forward before backward"
        )
    return gradient


def _is_never(layer: Layer, position: int) -> bool:
    never = layer.no_gradient_to
    return never if isinstance(never, bool) else position in never


def _from_weights(layers: list[Layer]) -> Needs:
    needs = Needs()
    blob_needs: dict[str, bool] = {}
    for layer in layers:
        parameter = layer.spec.parameter
        asked = list(parameter.propagate_down)
        if asked and len(asked) != len(parameter.bottom):
            raise GraphError(
                f"{layer.spec}: propagate_down param must be specified either 0 or bottom_size times: "
                f"found {len(asked)} for {len(parameter.bottom)} bottoms"
            )
        below = [blob_needs[blob] for blob in parameter.bottom]
        weights = [
            index not in layer.fixed_blobs and param_spec(layer, index).lr_mult != 0
            for index in range(len(layer.blobs))
        ]
        needs.bottoms.append(asked or below)
        needs.weights.append(weights)
        needs.layer.append(any(below) or any(weights))
        blob_needs.update({blob: needs.layer[-1] for blob in parameter.top})
    return needs


def _prune_what_no_loss_reaches(layers: list[Layer], loss_weights: list[list[float]], needs: Needs) -> None:
    # `skip` holds blobs without a gradient: a layer whose tops all lie there has nothing to propagate.
    under_loss: set[str] = set()
    skip: set[str] = set()
    for index in reversed(range(len(layers))):
        tops, bottoms = layers[index].spec.parameter.top, layers[index].spec.parameter.bottom
        contributes = any(loss_weights[index]) or any(top in under_loss for top in tops)
        if needs.layer[index] and tops and all(top in skip for top in tops):
            needs.layer[index] = False
            needs.bottoms[index] = [False] * len(bottoms)
        if contributes:
            under_loss.update(bottoms)
        else:
            needs.layer[index] = False
            needs.bottoms[index] = [False] * len(bottoms)
        skip.update(blob for blob, need in zip(bottoms, needs.bottoms[index], strict=True) if not need)


def _force(layers: list[Layer], needs: Needs) -> None:
    for index, layer in enumerate(layers):
        needs.layer[index] = True
        needs.bottoms[index] = [
            need or not _is_never(layer, position) for position, need in enumerate(needs.bottoms[index])
        ]
        needs.weights[index] = [position not in layer.fixed_blobs for position in range(len(layer.blobs))]


class WeightGradients:
    """Finds the gradient of each weight of one net.

    Normally it is the parameter's `grad`. For a weight borrowed from another net, this net has a gradient of its own
    (Blob::ShareData shares values only).
    """

    def __init__(self) -> None:
        self._apart: dict[nn.Parameter, Tensor | None] = {}  # None until the first request; test nets never ask

    def of(self, parameter: nn.Parameter) -> Tensor:
        """Returns the gradient of a weight; zeros if no backward pass has run."""
        if parameter not in self._apart:
            return gradient_of(parameter)
        gradient = self._apart[parameter]
        if gradient is None:
            gradient = self._apart[parameter] = torch.zeros_like(parameter.data)
        return gradient

    def existing(self, parameter: nn.Parameter) -> Tensor | None:
        """Returns the gradient of a weight, or None if no backward pass has reached it since it was forgotten."""
        return self._apart.get(parameter, parameter.grad)

    def forget(self, parameter: nn.Parameter) -> Tensor | None:
        """Drops a gradient that nobody else can hold; returns one that must keep its memory, to be set to zero.

        The next backward pass then stores its gradient, where it would add to zeros.
        """
        if parameter in self._apart or is_tied(parameter) or gradient_is_kept(parameter):
            return self.existing(parameter)
        parameter.grad = None
        return None

    def hand_over(self, own: nn.Parameter, lent: nn.Parameter) -> None:
        """Keeps the gradient of `own` as this net's gradient of `lent`, the weight that replaces `own`."""
        self._apart[lent] = self._apart.get(own, own.grad)

    def move(self, device: torch.device) -> None:
        """Moves gradients of borrowed weights to another device; gradients that shared memory still share it."""
        moved: dict[int, Tensor] = {}
        for parameter, gradient in self._apart.items():
            if gradient is not None:
                there = moved.setdefault(gradient.data_ptr(), gradient.to(device))
                self._apart[parameter] = there.view(gradient.shape)

"""WARPLoss: weighted approximate-rank pairwise loss for several labels per image.

An extension of this project; no Caffe has it. Weston et al., "WSABIE: scaling up to large vocabulary image annotation"
(IJCAI 2011), for several labels per image as in Gong et al., "Deep convolutional ranking for multilabel image
annotation" (arXiv 1312.4894), equations 3 to 5. The paper of SRN compares with it in Table 1.
"""

import torch
from torch import Tensor

from caffe_compat.layers.base import LossLayer, Shape
from caffe_compat.layers.loss.terms import label_like, rows_shape
from caffe_compat.layers.registry import register_layer


@register_layer("WARPLoss")
class WARPLoss(LossLayer):
    """1 / N sum over present labels j of L(r_j) max(0, 1 - x_j + x_k), where k is an absent label that violates.

    Bottoms: scores x (N, C) and targets (N, C): 1 present, 0 absent, -1 unknown (left out). For each present label,
    absent labels are drawn without replacement until one violates the margin of 1, after s draws. The rank of label j
    is then estimated as r_j = floor(absent labels / s), and L(r) = 1 + 1/2 + ... + 1/r. The draws come from torch's
    generator, which `random_seed` seeds. The gradient takes L(r_j) as a constant, as in the papers.
    """

    known_to = ("this project",)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """The shape (); stated here because the number of present labels depends on values."""
        rows_shape(self.spec, bottom_shapes[0])
        return [()]

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        rows = rows_shape(self.spec, scores.shape)
        targets = label_like(self.spec, scores, targets).reshape(rows)
        scores = scores.reshape(rows)
        image, label = (targets > 0).nonzero(as_tuple=True)
        margins = 1 + scores[image] - scores[image, label].unsqueeze(1)  # (present labels, C)
        absent = targets[image] == 0
        violator, rank = _first_violators(margins, absent)
        weights = _harmonic_numbers(scores.shape[1], like=scores)[rank]
        return (weights * margins.gather(1, violator.unsqueeze(1)).squeeze(1)).sum() / scores.shape[0]


def _first_violators(margins: Tensor, absent: Tensor) -> tuple[Tensor, Tensor]:
    """For each row, the violator that is drawn first and the estimated rank; rank 0 if nothing violates."""
    never = 2.0  # later than every draw
    draw = torch.rand(margins.shape, device=margins.device).masked_fill(~absent, never)
    earliest, violator = draw.masked_fill(~(absent & (margins > 0)), never).min(1)
    draws = (draw <= earliest.unsqueeze(1)).sum(1).clamp(min=1)
    rank = absent.sum(1) // draws
    return violator, rank.masked_fill(earliest == never, 0)


def _harmonic_numbers(count: int, like: Tensor) -> Tensor:
    """The `count` + 1 numbers 0, 1, 1 + 1/2, 1 + 1/2 + 1/3 ..., with dtype and device of `like`."""
    terms = 1 / torch.arange(1, count + 1, dtype=like.dtype, device=like.device)
    return torch.cat([terms.new_zeros(1), terms.cumsum(0)])

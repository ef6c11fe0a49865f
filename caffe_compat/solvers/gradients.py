"""Changes of gradients before the update rule, in Caffe's order: clip, normalise, regularise (sgd_solver.cpp)."""

import logging
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from caffe_compat.errors import SolverError

logger = logging.getLogger("caffe_compat")

REGULARIZATIONS = ("L1", "L2")


def clip(gradients: list[Tensor], largest: float) -> None:
    """Scales gradients down so that their L2 norm, over all of them, is at most `largest`; below 0 means no limit."""
    if largest < 0 or not gradients:
        return
    norm = float(torch.stack(torch._foreach_norm(gradients)).norm())
    if norm > largest:
        scale = largest / norm
        logger.info(
            "Gradient clipping: scaling down gradients (L2 norm %g > %g) by scale factor %g", norm, largest, scale
        )
        torch._foreach_mul_(gradients, scale)


def normalise(gradients: list[Tensor], iter_size: int) -> None:
    """Turns the sum over iter_size passes into their mean."""
    if iter_size > 1 and gradients:
        torch._foreach_mul_(gradients, 1.0 / iter_size)


def regularise(gradients: list[Tensor], weights: list[Tensor], decays: Sequence[float], kind: str) -> None:
    """Adds decay * w (L2) or decay * sign(w) (L1); `decays` has one number per weight."""
    check_regularization(kind)
    groups: defaultdict[float, list[int]] = defaultdict(list)
    for index, decay in enumerate(decays):
        groups[decay].append(index)
    for decay, members in groups.items():
        if decay == 0:
            continue
        terms = [weights[index] for index in members]
        penalties = terms if kind == "L2" else torch._foreach_sign(terms)
        torch._foreach_add_([gradients[index] for index in members], penalties, alpha=decay)


def check_regularization(kind: str) -> None:
    """Refuses a regularization_type that does not exist."""
    if kind not in REGULARIZATIONS:
        raise SolverError(f"Unknown regularization type: {kind!r}; expected one of: {', '.join(REGULARIZATIONS)}")

"""Fillers of new weights (FillerParameter, Caffe's filler.hpp); all draw from torch's global generator."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.proto import caffe_pb2

Filler = caffe_pb2.FillerParameter


def constant(blob: Tensor, filler: Filler) -> None:
    """Sets every element to `value`."""
    blob.fill_(filler.value)


def uniform(blob: Tensor, filler: Filler) -> None:
    """Draws every element from U[min, max]."""
    blob.uniform_(filler.min, filler.max)


def gaussian(blob: Tensor, filler: Filler) -> None:
    """Draws from the normal distribution N(mean, std); `sparse` s keeps an element with probability s / shape[0]."""
    blob.normal_(filler.mean, filler.std)
    if filler.sparse >= 0:
        blob.mul_(torch.empty_like(blob).bernoulli_(filler.sparse / blob.shape[:1].numel()))


def xavier(blob: Tensor, filler: Filler) -> None:
    """Draws from U[-a, a] with a = sqrt(3 / fan); see `fan`."""
    scale = math.sqrt(3.0 / fan(blob, filler))
    blob.uniform_(-scale, scale)


def msra(blob: Tensor, filler: Filler) -> None:
    """Draws from the normal distribution with mean 0 and standard deviation sqrt(2 / fan); see `fan`."""
    blob.normal_(0.0, math.sqrt(2.0 / fan(blob, filler)))


def positive_unitball(blob: Tensor, filler: Filler) -> None:
    """Draws from U[0, 1], then divides the weights of each output by their sum."""
    rows = blob.view(blob.shape[:1].numel(), -1)
    rows.uniform_(0.0, 1.0)
    rows.div_(rows.sum(dim=1, keepdim=True))


def bilinear(blob: Tensor, filler: Filler) -> None:
    """Sets each k x k kernel of (.., .., k, k) to the weights of bilinear upsampling, for Deconvolution."""
    size = blob.shape[3]
    factor = math.ceil(size / 2.0)
    centre = (size - 1) / (2.0 * factor)
    line = 1 - (torch.arange(size) / factor - centre).abs()
    blob.copy_(line[:, None] * line[None, :])


def fan(blob: Tensor, filler: Filler) -> float:
    """The number of inputs, of outputs, or their mean, per `variance_norm`; xavier and msra divide by it."""
    fan_in = blob.numel() / blob.shape[:1].numel()
    fan_out = blob.numel() / blob.shape[1] if blob.dim() > 1 else blob.numel()
    by_norm = {Filler.FAN_IN: fan_in, Filler.FAN_OUT: fan_out, Filler.AVERAGE: (fan_in + fan_out) / 2.0}
    return by_norm[filler.variance_norm]


FILLERS: dict[str, Callable[[Tensor, Filler], None]] = {
    "constant": constant,
    "uniform": uniform,
    "gaussian": gaussian,
    "xavier": xavier,
    "msra": msra,
    "positive_unitball": positive_unitball,
    "bilinear": bilinear,
}


def fill(blob: Tensor, filler: Filler, owner: str) -> None:
    """Fills a blob in place; FieldError or ShapeError, beginning with `owner`, where the filler does not fit."""
    require_fit(blob, filler, owner)
    with torch.no_grad():
        FILLERS[filler.type](blob, filler)


def require_fit(blob: Tensor, filler: Filler, owner: str) -> None:
    """Raises FieldError or ShapeError, beginning with `owner`, where the filler does not fit the blob."""
    if filler.type not in FILLERS:
        raise FieldError(f"{owner}: no filler of type '{filler.type}'; known: {', '.join(FILLERS)}")
    _require_numbers(filler, owner)
    if filler.sparse != -1 and filler.type != "gaussian":
        raise FieldError(f"{owner}: sparse is only for gaussian fillers, not for '{filler.type}'")
    outputs = blob.shape[:1].numel()
    if not -1 <= filler.sparse <= outputs:
        raise FieldError(f"{owner}: expected sparse of at most {outputs} (the outputs), got {filler.sparse}")
    if filler.type == "bilinear" and (blob.dim() != 4 or blob.shape[2] != blob.shape[3]):
        raise ShapeError(f"{owner}: expected square kernels of 4 axes for the bilinear filler, got {tuple(blob.shape)}")


def _require_numbers(filler: Filler, owner: str) -> None:
    """Raises FieldError for parameters that no distribution has (CHECK_GT and CHECK_LE of math_functions.cpp)."""
    for name in ("value", "min", "max", "mean", "std"):
        number: float = getattr(filler, name)
        if not math.isfinite(number):
            raise FieldError(f"{owner}: expected a finite {name} for the {filler.type} filler, got {number:g}")
    if filler.type == "gaussian" and filler.std < 0:
        raise FieldError(f"{owner}: expected std of at least 0 for the gaussian filler, got {filler.std:g}")
    if filler.type == "uniform" and filler.max < filler.min:
        raise FieldError(
            f"{owner}: expected max of at least min for the uniform filler, got {filler.max:g} below {filler.min:g}"
        )

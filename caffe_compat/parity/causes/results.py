"""Hypotheses: the other side does the same and then something more."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from caffe_compat.parity.causes.fit import fit_number
from caffe_compat.parity.causes.trial import Trial
from caffe_compat.parity.recording import Recorded

#: Numbers of channels that a sentence names.
SHOWN = 8
#: Keeps a constant channel from dividing by zero.
TINY = 1e-30


def changed_results(trial: Trial) -> Iterator[Trial]:
    """Other orders of the result, its bottom handed through, and activations that were fused into it."""
    if trial.target.kind == "blob":
        return
    for says, finish in FINISHES.items():
        yield replace(trial, finish=finish, says=says)
    if trial.bottoms:
        yield replace(trial, finish=lambda _: trial.bottoms[0], says="the other side hands the bottom through")


def _channels_reversed(result: Tensor) -> Tensor:
    return result.flip(1)


def _channels_last(result: Tensor) -> Tensor:
    return result.movedim(1, -1)


FINISHES: dict[str, Callable[[Tensor], Tensor]] = {
    "channel order: the other side gives the channels in reverse (RGB for BGR)": _channels_reversed,
    "order of axes: the other side gives channels last (NHWC)": _channels_last,
    "the other side has applied a ReLU already": torch.relu,
    "the other side has applied a ReLU6 already": lambda result: result.clamp(0, 6),
    "the other side has applied a sigmoid already": torch.sigmoid,
}


def fitted_results(trial: Trial, theirs: Recorded) -> Iterator[Trial]:
    """The result times a number, or plus one."""

    def scaled(factor: float) -> Trial:
        says = f"a factor: the other side's values are {factor:.6g} times ours"
        return replace(trial, finish=lambda result: result * factor, says=says)

    def shifted(shift: float) -> Trial:
        says = f"a constant: the other side's values are ours plus {shift:.6g}"
        return replace(trial, finish=lambda result: result + shift, says=says)

    for make in (scaled, shifted):
        yield make(fit_number(make, theirs, 1.0))
    yield from _changed_channels(trial, theirs)


def _changed_channels(trial: Trial, theirs: Recorded) -> Iterator[Trial]:
    """A mean that was taken away, or was not, from each channel of an image; then a factor for each, too."""
    ours = trial.result()
    if ours is None or ours.dim() != 4 or not isinstance(theirs, np.ndarray) or tuple(ours.shape) != theirs.shape:
        return
    axes = (0, 2, 3)
    other = torch.tensor(theirs, device=ours.device)
    shifts = (other - ours).mean(dim=axes, keepdim=True)
    says = f"mean: the other side's channels are ours plus {_numbers(shifts)}"
    yield replace(trial, finish=lambda result: result + shifts, says=says)
    own, their = ours - ours.mean(dim=axes, keepdim=True), other - other.mean(dim=axes, keepdim=True)
    factors = (own * their).sum(dim=axes, keepdim=True) / (own * own).sum(dim=axes, keepdim=True).clamp(min=TINY)
    rest = (other - factors * ours).mean(dim=axes, keepdim=True)
    says = f"other statistics, slopes or biases: each channel is ours times {_numbers(factors)}, plus {_numbers(rest)}"
    yield replace(trial, finish=lambda result: result * factors + rest, says=says)


def _numbers(values: Tensor) -> str:
    """The first few of one number a channel."""
    return " ".join(f"{value:.4g}" for value in values.ravel().tolist()[:SHOWN]) + (" ..." * (values.numel() > SHOWN))

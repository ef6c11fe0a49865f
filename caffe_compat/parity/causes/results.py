"""Hypotheses: the other side computes the same result and then changes it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from caffe_compat.parity.causes.fit import fit_number
from caffe_compat.parity.causes.trial import Trial, unchanged
from caffe_compat.parity.recording import Recorded

#: Largest number of channels whose values a sentence lists.
SHOWN = 8
#: Added to a divisor, so that a constant channel does not divide by zero.
TINY = 1e-30


def changed_results(trial: Trial) -> Iterator[Trial]:
    """Yields trials with reordered results, with the bottom as result, and with activations fused into the layer."""
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
    """Yields trials with the result multiplied by a number, or with a number added."""

    def scaled(factor: float) -> Trial:
        says = f"a factor: the other side's values are {factor:.6g} times ours{_well_known(factor)}"
        return replace(trial, finish=lambda result: result * factor, says=says)

    def shifted(shift: float) -> Trial:
        says = f"a constant: the other side's values are ours plus {shift:.6g}"
        return replace(trial, finish=lambda result: result + shift, says=says)

    yield from _clipped(trial, theirs)
    for make in (scaled, shifted):
        yield make(fit_number(make, theirs, 1.0))
    yield from _changed_channels(trial, theirs, unchanged, "channels")
    if trial.given is not None and trial.given.dim() == 4:
        yield from _changed_channels(trial, theirs, _channels_reversed, "channels, in reverse order (RGB for BGR),")


def _clipped(trial: Trial, theirs: Recorded) -> Iterator[Trial]:
    """Yields trials with the result clipped at the other side's largest or smallest value."""
    if not isinstance(theirs, np.ndarray) or not theirs.size:
        return
    low, high = float(theirs.min()), float(theirs.max())
    yield replace(trial, finish=lambda top: top.clamp(max=high), says=f"a clip: the other side ends at {high:.4g}")
    yield replace(trial, finish=lambda top: top.clamp(min=low), says=f"a clip: the other side begins at {low:.4g}")


def _changed_channels(
    trial: Trial, theirs: Recorded, ordered: Callable[[Tensor], Tensor], channels: str
) -> Iterator[Trial]:
    """Yields trials with a constant added to each channel of an image, and then also with a factor per channel."""
    result = trial.result()
    ours = None if result is None else ordered(result)
    if ours is None or ours.dim() != 4 or not isinstance(theirs, np.ndarray) or tuple(ours.shape) != theirs.shape:
        return
    axes = (0, 2, 3)
    other = torch.tensor(theirs, device=ours.device)
    shifts = (other - ours).mean(dim=axes, keepdim=True)
    says = f"mean: the other side's {channels} are ours plus {_numbers(shifts)}{_reversed_mean(shifts)}"
    yield replace(trial, finish=lambda result: ordered(result) + shifts, says=says)
    own, their = ours - ours.mean(dim=axes, keepdim=True), other - other.mean(dim=axes, keepdim=True)
    factors = (own * their).sum(dim=axes, keepdim=True) / (own * own).sum(dim=axes, keepdim=True).clamp(min=TINY)
    rest = (other - factors * ours).mean(dim=axes, keepdim=True)
    change = f"times {_numbers(factors)}, plus {_numbers(rest)}"
    says = f"other statistics, slopes or biases: the other side's {channels} are ours {change}"
    yield replace(trial, finish=lambda result: ordered(result) * factors + rest, says=says)


#: Common factors by which images are scaled.
SCALES = {"1/255": 1 / 255, "1/256": 1 / 256, "1/127.5": 1 / 127.5, "1/128": 1 / 128}
#: Relative difference below which a fitted number counts as equal to a known one.
NEAR = 1e-4


def _well_known(factor: float) -> str:
    return next((f" ({name})" for name, scale in SCALES.items() if abs(factor / scale - 1) < NEAR), "")


def _reversed_mean(shifts: Tensor) -> str:
    """Returns a remark if the shifts look like a mean in reverse order of channels, else "".

    The difference of a mean and its reverse has opposite values at both ends and 0 in the middle.
    """
    values = shifts.ravel()
    if len(values) != 3 or (values + values.flip(0)).abs().max() > NEAR * values.abs().max():
        return ""
    return " (a mean in reverse order of channels)"


def _numbers(values: Tensor) -> str:
    """Returns the first SHOWN of the channels' numbers as text."""
    return " ".join(f"{value:.4g}" for value in values.ravel().tolist()[:SHOWN]) + (" ..." * (values.numel() > SHOWN))

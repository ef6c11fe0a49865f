"""Hypotheses about inputs and tops of data layers: the image was turned, shifted or normalised differently."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from caffe_compat.parity.causes.trial import Trial
from caffe_compat.parity.recording import Recorded

#: A shift is searched up to FARTHEST pixels, and up to 1 / SHARE of the image's size.
FARTHEST, SHARE = 8, 4

TURNED: dict[str, Callable[[Tensor], Tensor]] = {
    "order of columns: the other side's image is mirrored": lambda image: image.flip(-1),
    "order of rows: the other side's image is upside down": lambda image: image.flip(-2),
    "order of axes: the other side's image has height and width exchanged": lambda image: image.transpose(-1, -2),
}


def changed_images(trial: Trial) -> Iterator[Trial]:
    """Yields trials with turned images (N, C, H, W)."""
    if trial.given is not None and trial.given.dim() == 4:
        for says, turn in TURNED.items():
            yield replace(trial, finish=turn, says=says)


def fitted_shift(trial: Trial, theirs: Recorded) -> Iterator[Trial]:
    """Yields the best shift by whole pixels; pixels at the border without a partner are not compared."""
    ours = trial.given
    if ours is None or ours.dim() != 4 or not isinstance(theirs, np.ndarray) or theirs.shape != tuple(ours.shape):
        return
    other = torch.tensor(theirs, device=ours.device)
    rows, columns = (range(-reach, reach + 1) for reach in (min(FARTHEST, size // SHARE) for size in ours.shape[2:]))
    shifts = [(down, right) for down in rows for right in columns if down or right]
    if not shifts:
        return
    down, right = min(shifts, key=lambda shift: _distance(ours, other, *shift))
    says = (
        f"crop: the other side's image lies {down} rows lower and {right} columns further right (crop origin, padding)"
    )
    yield replace(trial, finish=partial(_moved, other, down, right), says=says)


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    """Returns the overlapping part of an axis as two slices: in our image and in the other side's."""
    return slice(max(-shift, 0), size - max(shift, 0)), slice(max(shift, 0), size - max(-shift, 0))


def _distance(ours: Tensor, other: Tensor, down: int, right: int) -> float:
    (top, low), (left, far) = _overlap(ours.shape[2], down), _overlap(ours.shape[3], right)
    return (ours[..., top, left] - other[..., low, far]).abs().mean().item()


def _moved(other: Tensor, down: int, right: int, image: Tensor) -> Tensor:
    (top, low), (left, far) = _overlap(image.shape[2], down), _overlap(image.shape[3], right)
    moved = other.clone()
    moved[..., low, far] = image[..., top, left]
    return moved

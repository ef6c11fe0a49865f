"""Hypotheses: the other side runs the layer with other weights."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from caffe_compat.layers.registry import facts_of
from caffe_compat.parity.causes.trial import Trial
from caffe_compat.parity.recording import Array


def recorded_weights(trial: Trial, theirs: Mapping[int, Array]) -> Iterator[Trial]:
    """Yields a trial with the weights that the other side recorded, if they differ from ours."""
    if len(theirs) != len(trial.blobs):
        return
    ours = [blob.cpu().numpy() for blob in trial.blobs]
    other = [n for n in theirs if ours[n].size != theirs[n].size or (ours[n].ravel() != theirs[n].ravel()).any()]
    if not other or any(ours[n].size != theirs[n].size for n in other):
        return
    blobs = tuple(torch.tensor(theirs[n], device=blob.device).view(blob.shape) for n, blob in enumerate(trial.blobs))
    yield replace(trial, blobs=blobs, says=f"weights: {_difference(trial, other, blobs)}")


def _difference(trial: Trial, numbers: list[int], theirs: tuple[Tensor, ...]) -> str:
    if trial.parameter.type == "BatchNorm" and numbers == [2]:
        return f"scale factor {theirs[2].item():g} in the other side's blob 2, ours has {trial.blobs[2].item():g}"
    ours = trial.blobs[0]
    if numbers == [0] and ours.dim() > 1 and torch.equal(ours.flip(1), theirs[0]):
        return "channel order: the other side's blob 0 has the input channels in reverse (RGB for BGR)"
    return f"the other side has other values in blobs {', '.join(map(str, numbers))}; load the same file on both"


def changed_weights(trial: Trial) -> Iterator[Trial]:
    """Yields trials with rounded weights, other orders of a kernel's axes, and no bias."""
    if not trial.blobs:
        return
    for kind, name in ((torch.float16, "float16"), (torch.bfloat16, "bfloat16")):
        rounded = tuple(blob.to(kind).to(blob.dtype) for blob in trial.blobs)
        yield replace(trial, blobs=rounded, says=f"weights: the other side rounds them to {name}")
    kernel, *rest = trial.blobs
    if kernel.dim() == 4:
        flipped = kernel.flip(2, 3)
        yield replace(trial, blobs=(flipped, *rest), says="kernels: the other side flips them (a true convolution)")
        turned = kernel.transpose(2, 3)
        yield replace(trial, blobs=(turned, *rest), says="kernels: the other side exchanges their height and width")
    if kernel.dim() == 2 and kernel.shape[0] == kernel.shape[1]:
        yield replace(trial, blobs=(kernel.t(), *rest), says="weights: the other side transposes them")
    if facts_of(trial.parameter.type).blob_names[len(trial.blobs) - 1 :] == ("bias",):
        none = torch.zeros_like(trial.blobs[-1])
        yield replace(trial, blobs=(*trial.blobs[:-1], none), says="bias: the other side leaves it out")

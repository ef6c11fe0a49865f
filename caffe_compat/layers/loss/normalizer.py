"""The divisor of a loss: LossParameter's normalization (softmax_loss_layer.cpp, get_normalizer)."""

import torch
from torch import Tensor

from caffe_compat.layers.params import Params


def normalization_mode(params: Params, default: str) -> str:
    """FULL, VALID, BATCH_SIZE or NONE; the older field `normalize` decides if `normalization` is not set."""
    has_mode, has_legacy = params.has("normalization"), params.has("normalize")
    if has_mode:
        return str(params.normalization)
    if has_legacy:
        return "VALID" if params.normalize else "BATCH_SIZE"
    return default


def normalizer(mode: str, full: int, valid: Tensor | int, batch: int) -> Tensor | int:
    """The divisor of `mode`: all labels, the labels not ignored, the batch size, or 1.

    The divisor is at least 1, so that a batch without labels gives loss 0.
    """
    divisor = {"FULL": full, "VALID": valid, "BATCH_SIZE": batch, "NONE": 1}[mode]
    return max(1, divisor) if isinstance(divisor, int) else torch.clamp(divisor, min=1)

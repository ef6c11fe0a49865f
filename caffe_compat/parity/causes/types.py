"""Hypotheses for layers of particular types."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from caffe_compat.parity.causes.normalization import batch_norm, bn
from caffe_compat.parity.causes.replacements import REPLACEMENTS, fitted_slopes, prelu, replaced
from caffe_compat.parity.causes.trial import Fits, Hypotheses, Trial, with_parameter
from caffe_compat.parity.causes.vision import convolution, pooling
from caffe_compat.parity.recording import Recorded
from caffe_compat.parity.replay import array_of
from caffe_compat.proto import caffe_pb2


def unscaled_dropout(trial: Trial, theirs: Recorded) -> Iterator[Trial]:
    """Yields a trial in which kept elements are not divided by the keep ratio; the elements are the other side's."""
    if trial.phase != "TRAIN" or not isinstance(theirs, np.ndarray):
        return
    kept = torch.tensor(theirs != 0, device=trial.bottoms[0].device)
    says = (
        f"dropout scale: the other side does not divide by {1 - trial.parameter.dropout_param.dropout_ratio:g} at TRAIN"
    )
    yield replace(trial, finish=lambda _: trial.bottoms[0] * kept, says=says)


#: Elementwise functions without weights that are often confused.
FUNCTIONS = ("AbsVal", "BNLL", "ELU", "ReLU", "ReLU6", "Sigmoid", "Swish", "TanH")


def other_function(trial: Trial) -> Iterator[Trial]:
    """Yields a trial with each other type of FUNCTIONS."""
    for name in FUNCTIONS:
        if name != trial.parameter.type:
            parameter = with_parameter(trial, partial(_set_type, name))
            yield replace(trial, parameter=parameter, says=f"type: {name} explains the other side")


def _set_type(name: str, parameter: caffe_pb2.LayerParameter) -> None:
    parameter.type = name
    for field, _ in parameter.ListFields():
        if field.name.endswith("_param"):
            parameter.ClearField(field.name)


def lrn(trial: Trial) -> Iterator[Trial]:
    """Yields trials for LRN: alpha applied to the sum of squares instead of their mean, or the reverse."""
    param = trial.parameter.lrn_param
    for factor, says in (
        (param.local_size, "alpha: the other side does not divide it by local_size"),
        (param.local_size**2, "alpha: the other side does not divide it by local_size squared"),
        (1 / param.local_size, "alpha: the other side divides it by local_size twice"),
    ):
        parameter = type(trial.parameter)()
        parameter.CopyFrom(trial.parameter)
        parameter.lrn_param.alpha = param.alpha * factor
        yield replace(trial, parameter=parameter, says=says)


def eltwise(trial: Trial) -> Iterator[Trial]:
    """Yields a trial with the mean of the bottoms; `changed_fields` already tries swapped coefficients."""
    count = len(trial.bottoms)
    yield replace(trial, finish=lambda top: top / count, says="operation: the other side gives the mean of the bottoms")


def fitted_coefficients(trial: Trial, theirs: Recorded) -> Iterator[Trial]:
    """Yields a trial with the coefficients of a sum fitted to the other side by least squares."""
    if not isinstance(theirs, np.ndarray) or theirs.size != trial.bottoms[0].numel():
        return
    terms = np.stack([array_of(bottom).ravel() for bottom in trial.bottoms], axis=1)
    found = np.linalg.lstsq(terms.astype(np.float64), theirs.ravel().astype(np.float64), rcond=None)[0].tolist()
    parameter = type(trial.parameter)()
    parameter.CopyFrom(trial.parameter)
    parameter.eltwise_param.coeff[:] = found
    says = f"coeff: {' '.join(f'{value:.4g}' for value in found)} explains the other side"
    yield replace(trial, parameter=parameter, says=says)


def loss(trial: Trial) -> Iterator[Trial]:
    """Yields trials for losses with other divisors of the sum over the batch."""
    batch = trial.bottoms[0].shape[0]
    inner = trial.bottoms[0].numel() // batch

    def divided(count: int, says: str) -> Trial:
        def finish(top: Tensor) -> Tensor:
            return top / count

        return replace(trial, finish=finish, says=says)

    yield divided(inner, f"normalisation: the other side also divides by the {inner} values of an item")
    yield divided(batch, f"normalisation: the other side also divides by the batch of {batch}")


HYPOTHESES_BY_TYPE: dict[str, tuple[Hypotheses, ...]] = {
    **dict.fromkeys(FUNCTIONS, (other_function,)),
    **dict.fromkeys(REPLACEMENTS, (replaced,)),
    "BatchNorm": (batch_norm,),
    "BN": (bn,),
    "Convolution": (convolution,),
    "Deconvolution": (convolution,),
    "Eltwise": (eltwise,),
    "EuclideanLoss": (loss,),
    "LRN": (lrn,),
    "PReLU": (prelu,),
    "Pooling": (pooling,),
    "SigmoidCrossEntropyLoss": (loss,),
    "SoftmaxWithLoss": (loss,),
}
FITS_BY_TYPE: dict[str, tuple[Fits, ...]] = {
    "Dropout": (unscaled_dropout,),
    "Eltwise": (fitted_coefficients,),
    "PReLU": (fitted_slopes,),
}

"""What the fourth blob of the SRN fork's BN holds: the variance, or its inverse square root as before 27 April 2016.

A file does not say which, but its values decide. Two rules are certain if they apply:

1. An inverse deviation is 1 / sqrt(variance + eps): above 0 and at most 1 / sqrt(eps), 316.2 for 1e-5. A file with a
   value outside of that holds variances (dead channels have variance 0; a first layer on pixels has thousands).
2. A dead channel's inverse deviation is exactly 1 / sqrt(eps).

If neither rule applies, the weights decide. A channel of a convolution is a sum of inputs weighted by a kernel. Its
variance therefore grows with the square of the kernel's norm. Over the channels of a layer, log(variance) rises by 1
when log(norm ** 2) rises by 1, and log(inverse deviation) falls by 1/2. A regression over all channels of all
normalised convolutions, each layer centred, gives the slope. (Measured on nets of one to two hundred normalisations:
1.0 to 1.08 and -0.50 to -0.54.) After few iterations of training, running statistics are still close to their equal
first values. That brings a slope nearer to 0, but does not change its sign. So the slope decides if it differs from 0
by four standard errors. Files with inverse deviations come from long trainings, so theirs must be below -1/4 as well.

If no rule decides (all values equal, as after filling), the file is taken to hold variances, and the report says so.
Files that this program described hold variances in any case.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caffe_compat.convert.forms.train_form import undo_splits
from caffe_compat.convert.model import Layer, Model
from caffe_compat.graph.wiring import Wiring
from caffe_compat.proto.blobs import Blob

VARIANCE, INVERSE, AUTO = "variance", "inverse_deviation", "auto"
STATISTICS = (AUTO, VARIANCE, INVERSE)

SURE = 4.0
#: Halfway between 0 and the slope of inverse deviations.
HIGHEST_OF_INVERSE = -0.25
#: Least number of channels for which the regression's standard error is meaningful.
ENOUGH = 6
ROUNDING = 1e-6

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HeldStatistic:
    """Which statistic a file holds, VARIANCE or INVERSE, and the reason."""

    holds: str
    reason: str


def has_statistics(model: Model, layer: Layer) -> bool:
    """Whether the layer is a BN with four blobs and the last is not empty; SegNet's BN has two blobs."""
    blobs = model.blobs.get(layer.name, ())
    return layer.type == "BN" and len(blobs) > 3 and blobs[3].size > 0


def judge(model: Model, layers: list[Layer]) -> HeldStatistic:
    """Returns the verdict of the first rule of RULES that applies; VARIANCE if none does. See the module."""
    for rule in RULES:
        verdict = rule(model, layers)
        if verdict is not None:
            return verdict
    return HeldStatistic(VARIANCE, "the values do not tell, so it is taken to be new (--bn-statistics says otherwise)")


def _out_of_range(model: Model, layers: list[Layer]) -> HeldStatistic | None:
    for layer in layers:
        values = model.blobs[layer.name][3]
        most = (1 + ROUNDING) / np.sqrt(layer.bn_param.eps)
        if values.min() <= 0 or values.max() > most:
            outside = values.min() if values.min() <= 0 else values.max()
            return HeldStatistic(VARIANCE, f"layer '{layer.name}' has {outside:g}, outside of (0, 1 / sqrt(eps)]")
    return None


def _by_kernel_norms(model: Model, layers: list[Layer]) -> HeldStatistic | None:
    points = list(_points(model))
    if sum(len(x) for x, _ in points) < ENOUGH:
        return None
    norms, values = (np.concatenate(column) for column in zip(*points, strict=True))
    spread = float(norms @ norms)
    if not spread or not values.any():
        return None
    slope = float(norms @ values) / spread
    freedom = max(len(norms) - len(points) - 1, 1)
    error = float(np.sqrt(np.square(values - slope * norms).sum() / freedom / spread))
    if abs(slope) < SURE * error or HIGHEST_OF_INVERSE < slope < 0:
        return None
    reason = (
        f"against the kernels' squared norms its logarithm has slope {slope:.2f} (1 for variances, -0.5 for inverse)"
    )
    return HeldStatistic(VARIANCE if slope > 0 else INVERSE, reason)


def _dead_channels(model: Model, layers: list[Layer]) -> HeldStatistic | None:
    for layer in layers:
        values = model.blobs[layer.name][3].astype(np.float64)
        if np.isclose(values, 1 / np.sqrt(layer.bn_param.eps), rtol=ROUNDING, atol=0).any():
            return HeldStatistic(
                INVERSE, f"layer '{layer.name}' has a channel of exactly 1 / sqrt(eps), as dead ones are"
            )
    return None


RULES: tuple[Callable[[Model, list[Layer]], HeldStatistic | None], ...] = (
    _out_of_range,
    _by_kernel_norms,
    _dead_channels,
)


def _points(model: Model) -> Iterator[tuple[Floats, Floats]]:
    """Yields two arrays per BN right behind a convolution: logs of the kernels' squared norms and of blob 3.

    Both have one value per channel and mean 0.
    """
    layers = undo_splits(model.net.layer)
    wiring = Wiring.of_layers(layers)
    for index, layer in enumerate(layers):
        maker = wiring.maker(index)
        if maker is None or not has_statistics(model, layer):
            continue
        source = layers[maker]
        if source.type in ("Convolution", "InnerProduct") and source.name in model.blobs:
            yield _centred_logs(model.blobs[source.name][0], model.blobs[layer.name][3])


def _centred_logs(weight: Blob, statistic: Blob) -> tuple[Floats, Floats]:
    with np.errstate(invalid="ignore"):  # NaN
        kernels = weight.reshape(weight.shape[0], -1).astype(np.float64)
        norms, values = np.square(kernels).sum(axis=1), statistic.reshape(-1).astype(np.float64)
    # Channels with zero weights are constant for any input, and diverged channels carry no information.
    live = (norms > 0) & np.isfinite(norms) & np.isfinite(values)
    logs = np.log(norms[live]), np.log(values[live])
    return (logs[0] - logs[0].mean(), logs[1] - logs[1].mean()) if live.any() else logs

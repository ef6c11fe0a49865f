"""Hypotheses about windows: the divisor of averages, the number of windows, padding, and channels of groups."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d, pad

from caffe_compat.graph.builder import single_layer
from caffe_compat.layers.vision.pooling import Pooling
from caffe_compat.parity.causes.trial import Trial


def pooling(trial: Trial) -> Iterator[Trial]:
    """Yields trials with the windows of torch and TensorFlow instead of Caffe's."""
    bottom = trial.bottoms[0]
    layer = single_layer(trial.parameter, [tuple(bottom.shape)], trial.phase)
    if bottom.dim() != 4 or not isinstance(layer, Pooling):
        return
    window = layer.window(tuple(bottom.shape[2:]))
    arguments = (bottom, window.kernel, window.stride, window.pad)
    if layer.method == "MAX":
        says = "rounding of pooling: the other side drops a last window that starts behind the image"
        yield replace(trial, finish=_instead(max_pool2d, *arguments, ceil_mode=True), says=says)
        return
    for rounds_up, way in ((True, "up"), (False, "down")):
        for counts, extent in ((True, "the whole window"), (False, "the pixels within the image")):
            top = _instead(avg_pool2d, *arguments, ceil_mode=rounds_up, count_include_pad=counts)
            says = f"average of pooling: the other side divides by {extent}, with sizes rounded {way}"
            yield replace(trial, finish=top, says=says)


def _instead(function: Callable[..., Tensor], *arguments: Any, **options: Any) -> Callable[[Tensor], Tensor]:
    """Returns a function that ignores the layer's result and returns that of another function."""
    return lambda _: function(*arguments, **options)


def convolution(trial: Trial) -> Iterator[Trial]:
    """Yields trials with other groups and the same weights, and with different padding on both sides."""
    yield from _groups(trial)
    yield from _paddings(trial)


def _groups(trial: Trial) -> Iterator[Trial]:
    groups = trial.parameter.convolution_param.group
    bottom = trial.bottoms[0]
    if groups > 1:
        count, channels = bottom.shape[:2]
        shuffled = bottom.view(count, channels // groups, groups, -1).transpose(1, 2).reshape(bottom.shape)
        says = f"group: the other side deals the channels out to the {groups} groups one by one"
        yield replace(trial, bottoms=(shuffled,), says=says)
        first = torch.cat([bottom[:, : channels // groups]] * groups, 1)
        yield replace(
            trial, bottoms=(first,), says=f"group: all {groups} groups of the other side read the first one's channels"
        )


#: Pixels added to the padding before and after the image, and the text for the report. TensorFlow's SAME puts the
#: larger part of an odd sum after the image.
UNEVEN: tuple[tuple[int, int, str], ...] = (
    (-1, 0, "pads one pixel less before the image than behind it (SAME)"),
    (0, -1, "pads one pixel less behind the image than before it"),
    (-1, 1, "pads the same sum, two pixels less before the image than behind it: a shift by one pixel"),
    (1, -1, "pads the same sum, two pixels more before the image than behind it: a shift by one pixel"),
)


def _paddings(trial: Trial) -> Iterator[Trial]:
    """Yields trials with different padding on both sides of the image."""
    margins = list(trial.parameter.convolution_param.pad)
    if len(margins) != 1 or margins[0] == 0:
        return
    margin = margins[0]
    parameter = type(trial.parameter)()
    parameter.CopyFrom(trial.parameter)
    parameter.convolution_param.pad[:] = [0]
    for first, last, does in UNEVEN:
        moved = pad(trial.bottoms[0], (margin + first, margin + last) * 2)
        yield replace(trial, parameter=parameter, bottoms=(moved,), says=f"padding: the other side {does}")

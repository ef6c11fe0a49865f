"""Hypotheses: the other side's layer reads its bottoms in another order."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from torch import Tensor
from torch.nn.functional import pad

from caffe_compat.parity.causes.trial import Trial


def _reversed_channels(bottom: Tensor) -> Tensor:
    return bottom.flip(1)


def _channels_last(bottom: Tensor) -> Tensor:
    return bottom.movedim(1, -1).contiguous().view(bottom.shape)


def _transposed(bottom: Tensor) -> Tensor:
    return bottom.transpose(-1, -2)


def _upside_down(bottom: Tensor) -> Tensor:
    return bottom.flip(-2)


def _mirrored(bottom: Tensor) -> Tensor:
    return bottom.flip(-1)


#: Change of the first bottom, the least number of axes that it needs, and the text for the report.
ORDERS: tuple[tuple[Callable[[Tensor], Tensor], int, str], ...] = (
    (_reversed_channels, 2, "channel order: the other side reads the bottom's channels in reverse (RGB for BGR)"),
    (_channels_last, 3, "order of axes: the other side lays the bottom out channels last (NHWC)"),
    (_transposed, 4, "order of axes: the other side reads the bottom with height and width exchanged"),
    (_upside_down, 4, "order of rows: the other side reads the bottom upside down"),
    (_mirrored, 4, "order of columns: the other side reads the bottom mirrored"),
)


#: Shifts of the image on the other side, in pixels to the right and down; zeros fill the border.
SHIFTS = {"to the right": (1, 0), "to the left": (-1, 0), "down": (0, 1), "up": (0, -1),
          "down and to the right": (1, 1), "up and to the left": (-1, -1)}  # fmt: skip


def changed_bottoms(trial: Trial) -> Iterator[Trial]:
    """Yields trials with the first bottom reordered or shifted by a pixel, and with several bottoms reversed."""
    for reorder, axes, says in ORDERS:
        if trial.bottoms and trial.bottoms[0].dim() >= axes:
            yield replace(trial, bottoms=(reorder(trial.bottoms[0]), *trial.bottoms[1:]), says=says)
    yield from _shifted(trial)
    if len(trial.bottoms) > 1:
        yield replace(trial, bottoms=trial.bottoms[::-1], says="the other side reads the bottoms in reverse order")


def _shifted(trial: Trial) -> Iterator[Trial]:
    if not trial.bottoms or trial.bottoms[0].dim() != 4:
        return
    for direction, (right, down) in SHIFTS.items():
        moved = pad(trial.bottoms[0], (-right, right, -down, down))
        says = f"origin: the other side reads the bottom one pixel further {direction} (another padding or crop)"
        yield replace(trial, bottoms=(moved, *trial.bottoms[1:]), says=says)

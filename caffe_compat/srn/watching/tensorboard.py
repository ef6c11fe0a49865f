"""The events of a run as TensorBoard scalars; the package `tensorboard` is an extra.

It stands apart, because users without that package never enter it.
"""

import math
from pathlib import Path

from caffe_compat.errors import MissingFeatureError
from caffe_compat.srn.watching.events import Event, NetTested, Shown


class TensorBoard:
    """Writes event files into a folder; MissingFeatureError where the package is not installed."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingFeatureError(
                "TensorBoard files need the package tensorboard, which is not installed; "
                "run pip install caffe-compat[tensorboard], or leave --tensorboard out"
            ) from error
        self._writer = SummaryWriter(str(folder))

    def write(self, event: Event) -> None:
        """Add the scalars of a display or a test; infinite and undefined ones are left out."""
        if isinstance(event, Shown | NetTested):
            for name, value in scalars(event).items():
                if math.isfinite(value):
                    self._writer.add_scalar(name, value, event.iteration, walltime=event.time)
            self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()


def scalars(event: Shown | NetTested) -> dict[str, float]:
    """The figures of an event by TensorBoard's names, as `train/loss` and `test_0/mAP`."""
    if isinstance(event, NetTested):
        figures = {"objective": event.loss} | event.outputs | event.metrics
        return {f"test_{event.net}/{name}": value for name, value in figures.items()}
    figures = {"objective": event.loss, "learning rate": event.learning_rate} | event.outputs
    speed = {"images per second": event.images_per_second, "waiting for data": event.waiting}
    figures |= {name: value for name, value in speed.items() if value is not None}
    return {f"train/{name}": value for name, value in figures.items()}

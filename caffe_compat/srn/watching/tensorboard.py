"""The events of a run as TensorBoard scalars; the package `tensorboard` is an extra.

It stands apart, because users without that package never enter it.
"""

import math
import os
import socket
import time
from pathlib import Path

from google.protobuf.message import Message

from caffe_compat.errors import MissingFeatureError
from caffe_compat.srn.watching.events import Event, NetTested, Shown


class TensorBoard:
    """Writes event files into a folder; MissingFeatureError where the package is not installed."""

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboard.compat.proto.event_pb2 import Event as Record
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise MissingFeatureError(
                "TensorBoard files need the package tensorboard, which is not installed; "
                "run pip install caffe-compat[tensorboard], or leave --tensorboard out"
            ) from error
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        # Not torch's SummaryWriter: its thread prints a traceback where the disk refuses a record.
        self._file = (folder / name).open("ab")
        self._records = RecordWriter(self._file)
        self._record = Record
        self._add(Record(wall_time=time.time(), file_version="brain.Event:2"))

    def write(self, event: Event) -> None:
        """Add the scalars of a display or a test; infinite and undefined ones are left out."""
        if isinstance(event, Shown | NetTested):
            record = self._record(wall_time=event.time, step=event.iteration)
            for name, value in scalars(event).items():
                if math.isfinite(value):
                    record.summary.value.add(tag=name, simple_value=value)
            self._add(record)

    def _add(self, record: Message) -> None:
        self._records.write(record.SerializeToString())
        self._file.flush()

    def close(self) -> None:
        """Close the event file."""
        self._file.close()


def scalars(event: Shown | NetTested) -> dict[str, float]:
    """The figures of an event by TensorBoard's names, as `train/loss` and `test_0/mAP`."""
    if isinstance(event, NetTested):
        figures = {"objective": event.loss} | event.outputs | event.metrics
        return {f"test_{event.net}/{name}": value for name, value in figures.items()}
    figures = {"objective": event.loss, "learning rate": event.learning_rate} | event.outputs
    speed = {"images per second": event.images_per_second, "waiting for data": event.waiting}
    figures |= {name: value for name, value in speed.items() if value is not None}
    return {f"train/{name}": value for name, value in figures.items()}

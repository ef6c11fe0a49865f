"""Attention on the same few images after each test: what the net looks at as it learns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.net.net import Net
from caffe_compat.proto.file_bytes import replacing
from caffe_compat.srn.prediction.attention_figure import draw_attention
from caffe_compat.srn.prediction.attention_maps import BLOB_NAMES, ImageAttention, Picture
from caffe_compat.srn.prediction.released_input import MEAN_BGR
from caffe_compat.srn.prediction.shown_labels import choose_labels
from caffe_compat.srn.watching.label_losses import LabelLoss, find_label_losses

IMAGES, LABELS = 3, 4


@dataclass(frozen=True)
class FixedBatch:
    """The first batch of the first test: its input, on the CPU, and the labels of its first images."""

    data: Tensor
    true: list[set[int]]


class AttentionWatch:
    """Draws the attention maps of a test net's first images into a folder, one picture per image and test.

    The net must be one for images (N, 3, height, width) that has the blobs of A; `is_possible` says whether it is.
    """

    def __init__(self, net: Net, folder: Path, class_names: Sequence[str] = ()) -> None:
        self._net = net
        self._folder = folder
        self._names = class_names
        self._pair = next((pair for pair in BLOB_NAMES if pair[0] in net.blobs), None)
        self._data = next((name for name, blob in net.blobs.items() if len(blob.shape) == 4 and blob.shape[1] == 3), "")
        self._loss: LabelLoss | None = next(iter(find_label_losses(net)), None)
        self._batch: FixedBatch | None = None

    @property
    def is_possible(self) -> bool:
        """Whether the net has attention maps, pictures and labels."""
        return bool(self._pair and self._data and self._loss)

    @property
    def blobs(self) -> list[str]:
        """The blobs whose values the engine must keep."""
        return [self._data] if self.is_possible else []

    def add_batch(self) -> None:
        """Remember the net's last batch, if it is the first one."""
        if self._batch is None and self.is_possible and self._loss is not None:
            data = self._net.blobs[self._data].value.tensor().detach()
            _, labels = self._loss.matrices(self._net)
            true = [set(np.flatnonzero(row == 1).tolist()) for row in labels[:IMAGES].numpy()]
            self._batch = FixedBatch(data.to("cpu", copy=True), true)

    def draw(self, iteration: int) -> list[Path]:
        """Run the net on the fixed images and draw them; returns the pictures' paths, none before the first batch."""
        if self._batch is None or self._pair is None or self._loss is None:
            return []
        self._run(self._batch)
        maps = [self._values(name) for name in self._pair]
        scores = self._values(self._loss.scores)
        if maps[0] is None or maps[0].ndim != 4 or scores is None:
            return []
        self._folder.mkdir(parents=True, exist_ok=True)
        written = []
        for number, true in enumerate(self._batch.true):
            of_image = [None if values is None else values[number] for values in maps]
            attention = ImageAttention(maps[0][number], of_image[1], scores[number].ravel())
            path = self._folder / f"attention_{iteration}_{number + 1}.jpg"
            self._draw(path, _as_picture(self._batch.data[number]), attention, true)
            written.append(path)
        return written

    def _run(self, batch: FixedBatch) -> None:
        """All layers that read something, exactly, on the fixed batch; the data layers stay where they are."""
        net = self._net
        net.blobs[self._data].assign(batch.data.to(net.device))
        with torch.no_grad():
            for index, step in enumerate(net.steps):
                if step.bottoms and not step.layer.is_loss:
                    net.run_range(index, index)

    def _values(self, blob: str) -> NDArray[np.float32] | None:
        return self._net.blobs[blob].data.copy() if blob in self._net.blobs else None

    def _draw(self, path: Path, picture: Picture, attention: ImageAttention, true: set[int]) -> None:
        classes = len(attention.attention)
        names = self._names if len(self._names) == classes else [str(label) for label in range(classes)]
        figure = draw_attention(picture, attention, choose_labels(attention.scores, true, LABELS), names, true)
        with replacing(path) as beside:
            figure.savefig(beside, format="jpeg", dpi=80, pil_kwargs={"quality": 85})


def _as_picture(data: Tensor) -> Picture:
    """An input of the net (3, height, width) as a picture (height, width, 3), blue first, in 0..1."""
    pixels = data.numpy().transpose(1, 2, 0) + np.array(MEAN_BGR, np.float32)
    return np.clip(pixels / 255, 0, 1).astype(np.float32)

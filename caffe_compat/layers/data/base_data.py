"""Base classes of the layers that read data (base_data_layer.cpp)."""

from typing import Any

import torch
from torch import Tensor

from caffe_compat.data.batch import Batch, Prefetcher, upload
from caffe_compat.data.draws import DrawsByPlace, Order, fresh_seed, random_skip
from caffe_compat.data.sources.source import Source
from caffe_compat.data.transform import Arithmetic, Pixels, Transform
from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, Shape, exactly
from caffe_compat.layers.spec import LayerSpec

#: Largest number of batches that may be read ahead; each batch takes memory.
MOST_AHEAD = 1024


class DataLayer(Layer):
    """A layer without bottoms whose tops come from outside the net; its position in the data can be saved."""

    bottoms = exactly(0)
    is_in_onnx = False
    #: Number of images that augmentation makes of one item, by the first one's size: 2 with mirror; None where random
    #: crops make many.
    views_per_item: int | None = 1

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        # `net.to(device)` moves this empty buffer; its device is where the tops belong.
        self.register_buffer("_home", torch.empty(0), persistent=False)

    @property
    def device(self) -> torch.device:
        """The device on which the tops are placed."""
        return self.get_buffer("_home").device

    @property
    def order_seed(self) -> int:
        """The seed of the record order; fixed even without random_seed, since layers and processes must agree."""
        return self.spec.random_seed or 0

    @property
    def share(self) -> tuple[int, int]:
        """(rank, world size) for the records: at TRAIN the processes share them round-robin; at TEST each reads all."""
        return (self.spec.rank, self.spec.world_size) if self.phase == "TRAIN" else (0, 1)

    def check_data(self) -> None:
        """Reads all of the layer's data once; DataError at the first unusable record."""

    def close(self) -> None:
        """Ends the layer's threads and closes its files."""


class PrefetchingData(DataLayer):
    """Reads images and labels ahead and transforms the images."""

    def start(
        self,
        source: Source[Any],
        transform: Transform,
        batch_size: int,
        shuffle: bool,
        rand_skip: int = 0,
        ahead: int = 4,
        arithmetic: Any = None,
    ) -> None:
        """Connects a source; its first record determines the shapes of the tops.

        `ahead` is the number of batches read ahead. `arithmetic` defaults to mean and scale from transform_param.
        """
        spec = self.spec
        if batch_size < 1:
            raise FieldError(f"{spec}: positive batch size required, got {batch_size}")
        if not 1 <= ahead <= MOST_AHEAD:
            raise FieldError(f"{spec}: expected prefetch from 1 to {MOST_AHEAD} batches, got {ahead}")
        skip = random_skip(rand_skip, self.order_seed)
        order = Order(len(source), self.order_seed, shuffle, *self.share, skip=skip)
        seed = fresh_seed() if spec.random_seed is None else spec.random_seed
        draws = DrawsByPlace(seed, f"{spec.name} {spec.rank}", source.draws_per_item + transform.draws_per_item)
        self._arithmetic = Arithmetic(arithmetic or spec.params("transform_param"), str(spec))
        self._source = source
        self.batch_size = batch_size
        pixels, label = source.first()
        self.views_per_item = None if source.draws_per_item else transform.views_of(*pixels.shape[:2])
        self._shapes = self._shapes_of(pixels, label, transform)
        for top, shape in zip(spec.parameter.top, self._shapes, strict=True):
            spec.budget.check_top(spec.parameter, top, shape)  # before memory of the first batch is allocated
        self.prefetcher = Prefetcher(source, transform, order, draws, batch_size, ahead, arithmetic=self._arithmetic)
        self._batch: Batch | None = None

    def _shapes_of(self, pixels: Pixels, label: Any, transform: Transform) -> list[Shape]:
        height, width, channels = pixels.shape
        self._arithmetic.check(channels, height, width)
        labels = torch.as_tensor(label).shape
        data = (self.batch_size, channels, *transform.item_size(height, width))
        return [data, (self.batch_size, *labels)][: self.spec.top_count]

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """The shapes for the first record; without crop_size, later batches may differ."""
        return self._shapes

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        """Data (num, channels, height, width), and labels (num,) or (num, labels) if there is a second top.

        On the CPU, the next call overwrites the returned tensors.
        """
        return self._tops(self._take())

    def last_tops(self) -> tuple[Tensor, ...]:
        """The tops of the last batch, even if the engine keeps no blobs; an empty tuple before the first forward."""
        return () if self._batch is None else self._tops(self._batch)

    def _tops(self, batch: Batch) -> tuple[Tensor, ...]:
        pixels = upload(batch.pixels, self.device)
        data = pixels if batch.finished else self._arithmetic(pixels, batch.cuts)
        labels = upload(batch.label_array, self.device)
        return (data, labels)[: self.spec.top_count]

    def _take(self) -> Batch:
        """The next batch; its memory stays valid until the next call."""
        if self._batch is not None:
            self.prefetcher.give_back(self._batch)
        self.prefetcher.finish = self.device.type == "cpu"
        self._batch = self.prefetcher.take()
        return self._batch

    def state(self) -> dict[str, Any]:
        """The position of the next batch, and the seeds."""
        return dict(self.prefetcher.state())

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a `state()`."""
        self.prefetcher.restore(state)

    def check_data(self) -> None:
        """Reads and decodes every record of the source."""
        self._source.check()

    def close(self) -> None:
        """Stops reading ahead and closes the source."""
        self.prefetcher.close()

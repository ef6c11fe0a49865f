"""Nets on one or several devices that score batches of images."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from caffe_compat.convert.running_net import copy_file, describes_its_net, net_of_file, stored_preprocessing
from caffe_compat.data.preprocessing import UNSAID, ImageFlags
from caffe_compat.engine.create import create_engine
from caffe_compat.errors import GraphError, MissingFeatureError, ShapeError, did_you_mean, some_of
from caffe_compat.net.build import load_net
from caffe_compat.net.net import Net
from caffe_compat.net.settings import Surroundings
from caffe_compat.srn.prediction.filled_weights import require_filled
from caffe_compat.srn.prediction.released_input import RELEASED

logger = logging.getLogger("caffe_compat")

Scores = NDArray[np.float32]
#: Threads that read and resize images ahead of each net.
READERS_PER_NET = 4
COLOURS = 3


class BatchProgress(Protocol):
    """A function that `predict` calls after each batch with the numbers of done batches and of all batches."""

    def __call__(self, done: int, batches: int, /) -> object: ...


class Predictor:
    """One copy of a net on each device; `predict` shares batches out among them."""

    def __init__(
        self,
        prototxt: str | None,
        weights: str,
        batch_size: int,
        blob: str | None = None,
        gpus: Sequence[int] = (),
        engine: str = "fast",
        allow_unfilled: bool = False,
        allow_python_layers: bool = False,
        images: ImageFlags = UNSAID,
    ) -> None:
        """Load a deploy net; without GPUs the CPU runs the net.

        `prototxt` None stands for the net that the weights file describes (.safetensors, .pt).

        `blob` is what `predict` returns, net.outputs[0] if None. Raises GraphError where the file does not fill every
        layer, unless `allow_unfilled`; GraphError or ShapeError where the net is not one for images. Layers of type
        Python run the code that they name only with `allow_python_layers`.

        What the net expects of an image: what `images` says, else what the prototxt says, else the weights file, else
        the released SRN's (BGR minus 104, 117, 123).
        """
        if batch_size < 1:
            raise ShapeError(f"expected batches of at least 1 image, got {batch_size}")
        devices = [_cuda(index) for index in gpus] or [torch.device("cpu")]
        self._workers = [
            _Worker(
                _net_of(prototxt, weights, Surroundings(device=device, allow_python_layers=allow_python_layers)),
                prototxt or weights,
                batch_size,
                blob,
                engine,
                images.size,
            )
            for device in devices
        ]
        if prototxt is not None:
            require_filled(self._workers[0].net, weights, prototxt, allow_unfilled)
        stored = stored_preprocessing(self._workers[0].net, weights, prototxt=prototxt)
        self.preprocessing = images.over(stored) or RELEASED
        if line := images.contradiction(stored, f"{prototxt or weights}"):
            logger.warning("%s", line)
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self.batch_size = batch_size

    @property
    def blob(self) -> str:
        """The name of the blob that `predict` returns."""
        return self._workers[0].blob

    def predict(self, paths: Sequence[str], progress: BatchProgress = lambda done, batches: None) -> Scores:
        """Scores (images, numbers of the blob), in the order of the image files; DataError names a bad image."""
        batches = [paths[first : first + self.batch_size] for first in range(0, len(paths), self.batch_size)]
        scores = []
        with ThreadPoolExecutor(READERS_PER_NET * len(self._workers)) as readers, self._threads() as nets:
            for done, batch in enumerate(nets.map(lambda batch: self._score(batch, readers), batches), start=1):
                scores.append(batch)
                progress(done, len(batches))
        return np.concatenate(scores)

    def _threads(self) -> ThreadPoolExecutor:
        # One thread more than nets: it reads the images of the next batch while the nets are busy.
        return ThreadPoolExecutor(len(self._workers) + 1)

    def _score(self, paths: Sequence[str], readers: ThreadPoolExecutor) -> Scores:
        height, width = self._workers[0].input_size
        images = np.stack(list(readers.map(lambda path: self.preprocessing.input_of(path, height, width), paths)))
        worker = self._idle.get()
        try:
            return worker.score(images)
        finally:
            self._idle.put(worker)


class _Worker:
    """A net on one device."""

    def __init__(
        self,
        net: Net,
        prototxt: str,
        batch_size: int,
        blob: str | None,
        engine: str,
        size: tuple[int, int] | None,
    ) -> None:
        self.net = net
        if len(self.net.inputs) != 1:
            raise GraphError(
                f"{prototxt}: expected a net with one input for images, found inputs: "
                f"{', '.join(self.net.inputs) or 'none'}; give the deploy (test) net, not the one for training"
            )
        self.blob = blob or self.net.outputs[0]
        if self.blob not in self.net.blobs:
            raise GraphError(
                f"{prototxt}: no blob '{self.blob}'; the net's outputs are: {some_of(self.net.outputs)}; "
                f"{did_you_mean(self.blob, self.net.blobs)}"
            )
        self._input = self.net.blobs[self.net.inputs[0]]
        if len(self._input.shape) != 4 or self._input.shape[1] != COLOURS:
            raise ShapeError(
                f"{prototxt}: expected an input of images (N, 3, height, width), found '{self.net.inputs[0]}' of "
                f"{self._input.shape}; give a net for colour images"
            )
        channels = self._input.shape[1]
        self.input_size: tuple[int, int] = size or self._input.shape[2:]
        self._input.reshape(batch_size, channels, *self.input_size)
        self.net.reshape()
        self._engine = create_engine(engine, self.net, [self.blob])

    def score(self, images: NDArray[Any]) -> Scores:
        """(images, numbers of the blob) for at most batch_size images."""
        data = self._input.data
        data[: len(images)] = images
        data[len(images) :] = 0
        self._engine.forward()
        scores = self.net.blobs[self.blob].data
        return np.array(scores.reshape(len(data), -1)[: len(images)], np.float32)


def _net_of(prototxt: str | None, weights: str, surroundings: Surroundings) -> Net:
    if prototxt is None:
        return net_of_file(weights, surroundings)
    if not describes_its_net(weights):
        return load_net(prototxt, "TEST", surroundings, weights=weights)
    net = load_net(prototxt, "TEST", surroundings)
    copy_file(net, weights, prototxt)
    return net


def _cuda(index: int) -> torch.device:
    if not 0 <= index < torch.cuda.device_count():
        raise MissingFeatureError(
            f"--gpus {index}: torch finds {torch.cuda.device_count()} CUDA devices here; "
            "leave --gpus out to predict on the CPU"
        )
    return torch.device("cuda", index)

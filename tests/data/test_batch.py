"""Batches under way."""

import gc
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_compat.data.batch import Batch, Prefetcher, available_cores, upload
from caffe_compat.data.draws import Draws, DrawsByPlace, Order
from caffe_compat.data.sources.source import Item, Source
from caffe_compat.data.transform import Arithmetic, Transform
from caffe_compat.errors import DataError
from caffe_compat.proto import caffe_pb2
from tests.data.made_files import picture


def test_keeps_the_memory_order_of_its_items() -> None:
    for image in (picture(4, 5), picture(3, 4, 5).transpose(1, 2, 0)):
        batch = Batch(2, "layer")
        for number in range(2):
            place = batch.item(number, image.shape, image)
            assert (place.strides[2] > place.strides[1]) == (image.strides[2] > image.strides[1])
            place[...] = image
        assert np.array_equal(batch.pixels, np.stack([image.transpose(2, 0, 1)] * 2))


def test_labels_are_numbers_or_rows() -> None:
    batch = Batch(2, "layer")
    batch.labels = [3.0, 4.0]
    assert batch.label_array.tolist() == [3.0, 4.0]
    batch.labels = [np.ones(3, np.float32), np.zeros(3, np.float32)]
    assert batch.label_array.shape == (2, 3)


def test_uses_memory_again_where_it_fits() -> None:
    image = picture(4, 5)
    first = Batch(2, "layer")
    first.item(0, image.shape, image)
    again, larger = Batch(2, "layer", first.memory), Batch(3, "layer", first.memory)
    for batch in (again, larger):
        batch.item(0, image.shape, image)
    assert again.memory is first.memory
    assert larger.memory is not first.memory


def test_refuses_images_of_two_sizes() -> None:
    batch = Batch(2, "layer")
    batch.item(0, (4, 5, 3), picture(4, 5))
    with pytest.raises(DataError, match=r"^layer: images of one batch must have one size, found .* \(5, 4, 3\) beside"):
        batch.item(1, (5, 4, 3), picture(5, 4))


def test_refuses_to_be_read_empty() -> None:
    with pytest.raises(DataError, match=r"^layer: the batch is empty"):
        _ = Batch(1, "layer").pixels


TRANSFORM = caffe_pb2.TransformationParameter(crop_size=5, mirror=True)


class Pictures(Source[int]):
    """Noise, each picture slower or faster to load than the next."""

    def __init__(self, broken: int = -1) -> None:
        self.closed = False
        self.broken = broken

    def __len__(self) -> int:
        return 7

    def fetch(self, ordinals: Sequence[int]) -> list[int]:
        return list(ordinals)

    def load(self, record: int, draws: Draws) -> Item:
        time.sleep(0.001 * (record % 3))
        if record == self.broken:
            raise DataError(f"picture {record} is broken")
        return Item(picture(8, 9, seed=record), float(record))

    def close(self) -> None:
        self.closed = True


def prefetcher(
    source: Source[int] | None = None,
    workers: int = 2,
    ahead: int = 2,
    seed: int = 3,
    arithmetic: Arithmetic | None = None,
) -> Prefetcher:
    transform = Transform(TRANSFORM, "TRAIN", "layer")
    draws = DrawsByPlace(seed, "data", transform.draws_per_item)
    return Prefetcher(source or Pictures(), transform, Order(7, seed, True), draws, 4, ahead, workers, arithmetic)


def take(made: Prefetcher, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    batches = [made.take() for _ in range(count)]
    return [(batch.pixels.copy(), batch.label_array) for batch in batches]


def assert_equal(found: list[tuple[np.ndarray, np.ndarray]], expected: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for (pixels, labels), (other_pixels, other_labels) in zip(found, expected, strict=True):
        assert np.array_equal(pixels, other_pixels)
        assert np.array_equal(labels, other_labels)


@pytest.mark.parametrize(("workers", "ahead"), [(1, 0), (3, 1), (8, 5)])
def test_workers_do_not_change_the_batches(workers: int, ahead: int) -> None:
    assert_equal(take(prefetcher(workers=workers, ahead=ahead), 6), take(prefetcher(), 6))


def test_goes_on_from_a_state() -> None:
    made = prefetcher()
    take(made, 2)
    state = made.state()
    expected = take(made, 3)
    assert state == {"next": 8, "seed": 3, "order_seed": 3, "skip": 0}
    made.restore(state)
    assert_equal(take(made, 3), expected)
    again = prefetcher(seed=9)
    take(again, 1)
    again.restore(state)
    assert_equal(take(again, 3), expected)


def test_memory_given_back_serves_again() -> None:
    made = prefetcher(ahead=0)
    first = made.take()
    memory = first.memory
    made.give_back(first)
    assert made.take().memory is memory


def test_finished_batches_are_the_bytes_with_mean_and_scale_taken() -> None:
    arithmetic = Arithmetic(caffe_pb2.TransformationParameter(mean_value=[9.5], scale=0.5), "layer")
    made, raw = prefetcher(workers=3, arithmetic=arithmetic), prefetcher()
    made.finish = True
    for _ in range(3):
        finished, unfinished = made.take(), raw.take()
        assert (finished.finished, unfinished.finished) == (True, False)
        assert finished.pixels.flags.c_contiguous
        assert np.array_equal(finished.pixels, (unfinished.pixels - np.float32(9.5)) * np.float32(0.5))
        assert np.array_equal(finished.label_array, unfinished.label_array)
        made.give_back(finished)


def test_every_image_must_fit_the_mean_image(tmp_path: Path) -> None:
    blob = caffe_pb2.BlobProto(num=1, channels=3, height=8, width=9, data=[1.0] * 216)
    (tmp_path / "mean").write_bytes(blob.SerializeToString())
    parameter = caffe_pb2.TransformationParameter(mean_file=str(tmp_path / "mean"), crop_size=5)

    class OneIsLarger(Pictures):
        def load(self, record: int, draws: Draws) -> Item:
            return Item(picture(8, 10 if record == 4 else 9), 0.0)

    made = prefetcher(OneIsLarger(), arithmetic=Arithmetic(parameter, "layer"))
    with pytest.raises(DataError, match=r"^layer: mean_file has shape \(3, 8, 9\), the image has \(3, 8, 10\); make"):
        take(made, 2)


def test_errors_of_workers_come_out_at_their_batch() -> None:
    broken = Order(7, 3, True).ordinals(0, 7)[5]
    made = prefetcher(Pictures(broken))
    made.take()
    with pytest.raises(DataError, match=rf"^picture {broken} is broken"):
        made.take()


def started_by(made: Prefetcher) -> set[threading.Thread]:
    """The threads that a first batch starts."""
    before = set(threading.enumerate())
    made.take()
    return set(threading.enumerate()) - before


def test_threads_end_with_close() -> None:
    source = Pictures()
    made = prefetcher(source)
    threads = started_by(made)
    assert threads
    made.close()
    assert source.closed
    assert not any(thread.is_alive() for thread in threads)


def test_threads_end_with_the_object() -> None:
    made = prefetcher()
    threads, gone = started_by(made), weakref.ref(made)
    del made
    for thread in threads:
        thread.join(5)
    gc.collect()
    assert gone() is None
    assert not any(thread.is_alive() for thread in threads)


def test_available_cores() -> None:
    assert available_cores() >= 1


def test_on_the_cpu_the_tensor_is_the_array() -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    tensor = upload(values, torch.device("cpu"))
    assert tensor.tolist() == values.tolist()
    values[1, 2, 3] = 99
    assert tensor[1, 2, 3] == 99


def test_on_a_gpu_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[torch.device, bool]] = []

    class Host:
        def pin_memory(self) -> "Host":
            return self

        def to(self, device: torch.device, non_blocking: bool = False) -> "Host":
            calls.append((device, non_blocking))
            return self

    monkeypatch.setattr(torch, "from_numpy", lambda _values: Host())
    upload(np.zeros(3), torch.device("cuda", 1))
    assert calls == [(torch.device("cuda", 1), True)]

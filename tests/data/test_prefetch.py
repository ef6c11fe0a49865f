"""Reading ahead: equal whatever the workers, resumable, and quiet when it ends."""

import gc
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.data.arithmetic import Arithmetic
from caffe_compat.data.draws import Draws, DrawsByPlace
from caffe_compat.data.order import Order
from caffe_compat.data.prefetch import Prefetcher, available_cores
from caffe_compat.data.sources.source import Item, Source
from caffe_compat.data.transform import Transform
from caffe_compat.errors import DataError
from caffe_compat.proto import caffe_pb2
from tests.data.made_files import picture

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

"""Parts of a mapped file, read into arrays in few calls."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffe_compat.errors import FormatError
from caffe_compat.proto.mapped_file import MOST_BUFFERS, SMALL_GAP, MappedFile, mapping_of

CONTENT = np.random.default_rng(3).integers(0, 256, 9 * SMALL_GAP + 5, np.uint8)

Preadv = Callable[[int, Sequence[memoryview], int], int]


@pytest.fixture
def file(tmp_path: Path) -> MappedFile:
    path = tmp_path / "file"
    path.write_bytes(CONTENT.tobytes())
    return MappedFile(path)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many buffers each read was given."""
    counts: list[int] = []
    real: Preadv = os.preadv

    def counting(descriptor: int, buffers: Sequence[memoryview], start: int) -> int:
        counts.append(len(buffers))
        return real(descriptor, buffers, start)

    monkeypatch.setattr(os, "preadv", counting)
    return counts


def part(offset: int, count: int) -> tuple[int, np.ndarray[Any, Any]]:
    return offset, np.zeros(count, np.float32)


def assert_filled(parts: Sequence[tuple[int, np.ndarray[Any, Any]]]) -> None:
    for offset, array in parts:
        assert array.tobytes() == CONTENT[offset : offset + array.nbytes].tobytes()


def test_parts_near_each_other_are_one_call(file: MappedFile, calls: list[int]) -> None:
    parts = [part(4001, 11), part(3, 7), part(31, 2), (50, np.zeros((2, 0), np.float32))]
    file.read_parts(parts)
    assert_filled(parts)
    assert calls == [4]  # three parts, and one gap: 31 lies right behind 3 + 28


def test_parts_far_from_each_other_and_over_each_other_are_calls_of_their_own(
    file: MappedFile, calls: list[int]
) -> None:
    parts = [part(1, 5), part(22 + SMALL_GAP, 3), part(26 + SMALL_GAP, 4)]
    file.read_parts(parts)
    assert_filled(parts)
    assert calls == [1, 1, 1]


def test_no_call_has_more_buffers_than_systems_take(file: MappedFile, calls: list[int]) -> None:
    parts = [part(1 + 10 * index, 2) for index in range(MOST_BUFFERS)]
    file.read_parts(parts)
    assert_filled(parts)
    assert max(calls) <= MOST_BUFFERS
    assert sum(calls) == 2 * len(parts) - len(calls)


def test_calls_that_stop_short_are_gone_on_with(file: MappedFile, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Preadv = os.preadv

    def short(descriptor: int, buffers: Sequence[memoryview], start: int) -> int:
        return real(descriptor, [buffers[0][:13]], start)

    monkeypatch.setattr(os, "preadv", short)
    parts = [part(2, 10), part(42, 3), part(60, 1)]
    file.read_parts(parts)
    assert_filled(parts)


def test_a_file_that_has_become_shorter_is_told(file: MappedFile) -> None:
    os.truncate(file.path, 1000)
    with pytest.raises(
        FormatError, match=rf"^{file.path}: ends at byte 1000 now: the file was changed while it was read$"
    ):
        file.read_parts([part(900, 50)])


def test_where_numbers_lie(file: MappedFile) -> None:
    numbers = np.frombuffer(file, np.float32, 12, 17)
    assert mapping_of(numbers) is file
    assert (file.offset_of(numbers), file.offset_of(numbers.reshape(3, 4)[1])) == (17, 33)
    for elsewhere in (numbers.reshape(3, 4).T, numbers.copy(), numbers * 2, np.frombuffer(b"12345678", np.float32)):
        assert mapping_of(elsewhere) is None


def test_the_file_stays_open_as_long_as_an_array_looks_into_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345678")
    file = MappedFile(tmp_path / "file")
    descriptor, array = file.descriptor, np.frombuffer(file, np.uint8)
    del file
    assert os.fstat(descriptor).st_size == array.size == 8
    del array
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_an_empty_file_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ValueError, match="empty file"):
        MappedFile(tmp_path / "file")
    assert len(os.listdir("/proc/self/fd")) == before

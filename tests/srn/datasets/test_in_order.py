import os
import time
from functools import partial
from itertools import count, islice

import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.in_order import AHEAD, CHUNK, in_order


def slow_first(number):
    time.sleep(0.05 if number == 0 else 0)
    return number * number, os.getpid()


def die_at(bad, number):
    if number == bad:
        os._exit(3)
    return number


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order(processes):
    done = list(in_order(slow_first, iter(range(77)), processes))
    assert [(item, result[0]) for item, result in done] == [(n, n * n) for n in range(77)]
    assert (os.getpid() in {result[1] for _, result in done}) == (processes == 1)


def test_few_items_are_taken_ahead():
    taken = count()
    results = in_order(slow_first, (next(taken) for _ in range(100_000)), 2)
    assert len(list(islice(results, CHUNK + 1))) == CHUNK + 1
    assert next(taken) <= (2 * AHEAD + 1) * CHUNK
    results.close()


def test_a_dead_process_is_an_error():
    with pytest.raises(DataError, match=r"^one of 2 processes was killed, most likely because memory was short; take"):
        list(in_order(partial(die_at, 20), range(40), 2))

"""Building nets without the garbage collector."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

import caffe_compat
from caffe_compat.net.build import load_net
from caffe_compat.net.collector_paused import collector_paused

RELEASED = Path(__file__).parents[1] / "goldens" / "srn_fork" / "released_like"


@pytest.fixture
def collector() -> Iterator[None]:
    """The collector as it was."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.enable()
    yield
    gc.unfreeze()
    if not was_enabled:
        gc.disable()


@pytest.mark.usefixtures("collector")
def test_it_goes_on_behind_the_outermost_block() -> None:
    with collector_paused():
        with collector_paused():
            made: list[list[object]] = [[] for _ in range(50_000)]
            assert gc.get_count()[0] > 0
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_count()[0] < len(made)  # they are among the old
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("collector")
def test_what_a_program_has_frozen_stays_so() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    with collector_paused():
        pass
    assert gc.get_freeze_count() == frozen > 0


@pytest.mark.usefixtures("collector")
def test_it_stays_off_where_it_was_off() -> None:
    gc.disable()
    with collector_paused():
        pass
    assert not gc.isenabled()


@pytest.mark.usefixtures("collector")
def test_a_net_that_nobody_holds_is_gone_without_a_collection() -> None:
    """Else the weights of nets, which count as old, would wait for a collection of all."""
    gc.disable()
    caffe_compat.load(str(RELEASED / "weights.caffemodel"))
    load_net(str(RELEASED / "net.prototxt"), "TEST", weights=str(RELEASED / "weights.caffemodel"))
    assert gc.collect() == 0

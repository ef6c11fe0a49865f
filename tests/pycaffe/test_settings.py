"""Settings of the process, as a script sets them."""

import logging

import numpy as np
import pytest

import caffe_compat
from caffe_compat.errors import SolverError
from caffe_compat.net.settings import surroundings
from caffe_compat.proto.caffe_pb2 import TRAIN
from caffe_compat.pycaffe.net import Net
from tests.pycaffe.conftest import NET, NetFile


def test_a_seed_fixes_the_weights(net_file: NetFile) -> None:
    made = []
    for seed in (3, 3, 4):
        caffe_compat.set_random_seed(seed)
        made.append(np.array(Net(net_file(NET), TRAIN).params["conv"][0].data))
    assert (made[0] == made[1]).all()
    assert (made[0] != made[2]).any()
    assert surroundings().random_seed == 4


def test_solvers_are_counted_and_ranked() -> None:
    caffe_compat.set_solver_count(3)
    caffe_compat.set_solver_rank(2)
    caffe_compat.set_multiprocess(True)
    assert (caffe_compat.solver_count(), caffe_compat.solver_rank()) == (3, 2)
    assert (surroundings().world_size, surroundings().rank) == (3, 2)


def test_there_is_at_least_one_solver() -> None:
    with pytest.raises(SolverError, match=r"^expected at least 1 solver, got 0"):
        caffe_compat.set_solver_count(0)


def test_a_rank_lies_below_the_count() -> None:
    with pytest.raises(SolverError, match=r"^expected a rank from 0 to 0, got 1; call set_solver_count first"):
        caffe_compat.set_solver_rank(1)


def test_layer_types_are_listed() -> None:
    types = caffe_compat.layer_type_list()
    assert types == sorted(types)
    assert {"Convolution", "BN", "Python"} <= set(types)


def test_lines_of_ones_own_go_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "caffe_compat"):
        caffe_compat.log("Using devices 100%")
    assert caplog.messages == ["Using devices 100%"]


def test_init_log_shows_lines_as_caffe_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("caffe_compat")
    for attribute in ("handlers", "level", "propagate"):
        monkeypatch.setattr(logger, attribute, [] if attribute == "handlers" else getattr(logger, attribute))
    caffe_compat.init_log(1)
    caffe_compat.log("too quiet")
    caffe_compat.init_log()
    caffe_compat.log("heard")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("I")
    assert lines[0].endswith("] heard")

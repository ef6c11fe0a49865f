"""What our own solver logs is found by Caffe's parser and by ours, and both find the same."""

import logging
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf import text_format

from caffe_compat.logs.parsing.reader import read_log
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.solver import Solver
from tests.logs.parsing.caffe_parser import outputs_by_iteration

NET = """
    name: 'two numbers'
    layer { name: 'data' type: 'DummyData' top: 'x' top: 'label' dummy_data_param {
        shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } data_filler { type: 'gaussian' } data_filler { value: 1 } } }
    layer { name: 'fc' type: 'InnerProduct' bottom: 'x' top: 'y' inner_product_param {
        num_output: 2 weight_filler { type: 'xavier' } } }
    layer { name: 'loss_cls' type: 'EuclideanLoss' bottom: 'y' bottom: 'label' top: 'loss_cls' loss_weight: 0.5 }
"""
SOLVER = f"""
    train_net_param {{ {NET} }} test_net_param {{ {NET} }} test_net_param {{ {NET} }}
    test_iter: 2 test_iter: 1 test_interval: 4 max_iter: 9 display: 2 average_loss: 3
    base_lr: 1e-05 lr_policy: 'multistep' gamma: 0.5 stepvalue: 3 stepvalue: 6 momentum: 0.9 weight_decay: 0.001
    snapshot_after_train: false random_seed: 3
"""


class LinesAsGlogWrites(logging.Handler):
    """One line a second from just before a new year, with the prefix of a glog that Caffe's parser knows."""

    def __init__(self):
        super().__init__()
        self.lines = []
        self.time = datetime(2016, 12, 31, 23, 59, 50, 250000)

    def emit(self, record):
        self.time += timedelta(seconds=1)
        self.lines += f"I{self.time:%m%d %H:%M:%S.%f}  4711 solver.cpp:239] {record.getMessage()}".splitlines()


@pytest.fixture(scope="module")
def lines():
    handler, logger = LinesAsGlogWrites(), logging.getLogger("caffe_compat")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        Solver(text_format.Parse(SOLVER, caffe_pb2.SolverParameter())).solve()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    return handler.lines


def test_both_parsers_find_the_same(lines: list[str], tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text("\n".join(lines))
    log = read_log(tmp_path / "train.log")
    train, test, rates = outputs_by_iteration(lines)
    assert {row.iteration: row.outputs for row in log.train} == train
    assert {row.iteration: row.outputs for row in log.tests[1]} == test  # Caffe's takes two nets for one
    assert [row.learning_rate for row in log.train] == rates
    assert set(train) == {0, 2, 4, 6, 8}
    assert set(test) == {0, 4, 8}
    assert rates == [1e-05, 1e-05, 5e-06, 2.5e-06, 2.5e-06]


def test_two_test_nets_are_told_apart(lines: list[str], tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text("\n".join(lines))
    tests = read_log(tmp_path / "train.log").tests
    assert [row.iteration for row in tests[0]] == [row.iteration for row in tests[1]] == [0, 4, 8]
    assert tests[0] != tests[1]


def test_time_goes_on_over_the_new_year(lines: list[str], tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text("\n".join(lines))
    seconds = [row.seconds for row in read_log(tmp_path / "train.log").losses]
    assert seconds == sorted(seconds)
    assert len(seconds) == 5

import math
import os
import re
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import DataError, FormatError
from caffe_compat.logs.parsing.reader import Row, latest_rows, read_log
from tests.logs.parsing.caffe_parser import outputs_by_iteration

RECORDED = Path(__file__).parents[2] / "goldens" / "bvlc" / "logs" / "caffe_train.log"


def read(tmp_path, text):
    path = tmp_path / "train.log"
    path.write_text(
        "".join(f"I0520 23:00:{second:02}.500000  77 {line}\n" for second, line in enumerate(text.splitlines()))
    )
    return read_log(path)


def test_a_log_of_real_caffe() -> None:
    log = read_log(RECORDED)
    assert [row.iteration for row in log.train] == [0, 5, 10, 15, 20]
    assert [row.outputs["loss"] for row in log.train] == [2.96885, 3.20696, 4.00361, 6.03622, 4.36415]
    assert [row.learning_rate for row in log.train] == [0.01, 0.01, 0.001, 0.001, 0.0001]
    assert [row.iteration for row in log.losses] == [0, 5, 10, 15, 20, 25]
    assert log.losses[-1].outputs == {"loss": 5.01153}
    assert [(row.iteration, row.outputs["loss"]) for row in log.tests[0]] == [
        (0, 882.039),
        (10, 3.70256),
        (20, 4.22807),
    ]
    assert log.train[2].seconds == pytest.approx(0.006072 + 0.000008, abs=1e-5)


def test_finds_what_caffes_own_parser_finds() -> None:
    lines = re.sub(r"^([IWE])\d{4}(\d{4} )", r"\1\2", RECORDED.read_text(), flags=re.M).splitlines()
    train, test, rates = outputs_by_iteration(lines)
    log = read_log(RECORDED)
    assert {row.iteration: row.outputs for row in log.train} == train
    assert {row.iteration: row.outputs for row in log.tests[0]} == test
    assert [row.learning_rate for row in log.train] == rates


FORK = """\
solver.cpp:210] Solving srn
solver.cpp:300] Iteration 40, Testing net (#0)
solver.cpp:340]     Test net output #0: loss_cls = 1.5e-05 (* 1 = 1.5e-05 loss)
solver.cpp:300] Iteration 40, Testing net (#1)
solver.cpp:340]     Test net output #0: accuracy = 0.25
solver.cpp:340]     Test net output #1: accuracy = 0.75
solver.cpp:340]     Test net output #2: accuracy = 0.5
solver.cpp:240] Iteration 40, loss = nan
solver.cpp:255]     Train net output #0: att/loss = -inf (* 0.5 = -inf loss)
sgd_solver.cpp:138] Iteration 40, lr = 1e-05
sgd_solver.cpp:97] MultiStep Status: Iteration 60, step = 1
solver.cpp:240] Iteration 60, loss = .5
solver.cpp:255]     Train net output #0: att/loss = 3 (* 0.5 = 1.5 loss)
sgd_solver.cpp:138] Iteration 60, lr = 1e-06"""


def test_a_log_of_the_fork_with_two_test_nets(tmp_path: Path) -> None:
    log = read(tmp_path, FORK)
    assert [row.iteration for row in log.train] == [40, 60]
    assert math.isnan(log.losses[0].outputs["loss"])
    assert log.losses[1] == Row(60, 11, 1e-06, {"loss": 0.5})
    assert [row.outputs for row in log.train] == [{"att/loss": -math.inf}, {"att/loss": 3}]
    assert log.tests == {
        0: [Row(40, 2, 1e-05, {"loss_cls": 1.5e-05})],
        1: [Row(40, 4, 1e-05, {"accuracy": 0.25, "accuracy[1]": 0.75, "accuracy[2]": 0.5})],
    }


RESUMED = """\
caffe.cpp:1] Use CPU.
solver.cpp:289] Solving lenet
solver.cpp:239] Iteration 0 (-1e-43 iter/s, 0.004s/5 iters), loss = 4
solver.cpp:258]     Train net output #0: loss = 4 (* 1 = 4 loss)
sgd_solver.cpp:112] Iteration 0, lr = 0.1
solver.cpp:239] Iteration 20 (3 iter/s, 7s/20 iters), loss = 3
solver.cpp:258]     Train net output #0: loss = 3 (* 1 = 3 loss)
sgd_solver.cpp:112] Iteration 20, lr = 0.1
solver.cpp:289] Solving lenet
sgd_solver.cpp:318] SGDSolver: restoring history
solver.cpp:239] Iteration 10 (inf iter/s, 0s/20 iters), loss = 2
solver.cpp:258]     Train net output #0: loss = 2 (* 1 = 2 loss)
sgd_solver.cpp:112] Iteration 10, lr = 0.01"""


def test_a_resumed_log_goes_on_counting_seconds(tmp_path: Path) -> None:
    rows = read(tmp_path, RESUMED).train
    assert [(row.iteration, row.seconds, row.learning_rate) for row in rows] == [
        (0, 2, 0.1),
        (20, 5, 0.1),
        (10, 10, 0.01),
    ]
    assert [row.iteration for row in latest_rows(rows)] == [0, 10]


def test_lines_that_break_off_are_left_out(tmp_path: Path) -> None:
    text = """\
solver.cpp:258]     Train net output #0: loss = 4 (* 1 = 4 loss)
solver.cpp:239] Iteration 0 (1 iter/s, 0.004s/5 iters), loss = 4
solver.cpp:258]     Train net output #0: los
solver.cpp:239] Iteration 5 (1 iter"""
    log = read(tmp_path, text)
    assert log.train == []
    assert [row.outputs for row in log.losses] == [{"loss": 4}]
    assert math.isnan(log.losses[0].learning_rate)


def test_lines_without_prefix_are_read_without_seconds(tmp_path: Path) -> None:
    path = tmp_path / "plain.log"
    path.write_text("Solving net\nIteration 3, loss = 2\n    Train net output #0: loss = 1\n")
    log = read_log(path)
    assert (log.train[0].iteration, log.train[0].outputs) == (3, {"loss": 1})
    assert math.isnan(log.train[0].seconds)


def test_a_file_that_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text('name: "lenet"\n')
    with pytest.raises(
        FormatError, match="^" + re.escape(f"{path}: expected a training log with lines 'Iteration N, ")
    ):
        read_log(path)


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"^.*run.log: cannot read the log \(No such file or directory\); check the path$"
    ):
        read_log(tmp_path / "run.log")


NVIDIA = """\
solver.cpp:279] Solving n
solver.cpp:340] Iteration 0 (8.2 iter/s, 12.2s/100 iter), 0.0/90ep, loss = 2.5
solver.cpp:365]     Train net output #0: loss = 2.5 (* 1 = 2.5 loss)
sgd_solver.cpp:180] Iteration 0, lr = 0.02, m = 0.9, lrm = 0.18, wd = 0.0005, gs = 1
solver.cpp:340] Iteration 100 (8.2 iter/s, 12.2s/100 iter), 1.5/90ep, loss = 2.25
solver.cpp:365]     Train net output #0: loss = 2.25 (* 1 = 2.25 loss)
sgd_solver.cpp:180] Iteration 100, lr = 0.01, m = 0.9, lrm = 0.09, wd = 0.0005, gs = 1"""


def test_a_log_of_nvidias_caffe(tmp_path: Path) -> None:
    log = read(tmp_path, NVIDIA)
    assert [(row.iteration, row.outputs["loss"], row.learning_rate) for row in log.train] == [
        (0, 2.5, 0.02), (100, 2.25, 0.01),
    ]  # fmt: skip
    assert [row.outputs["loss"] for row in log.losses] == [2.5, 2.25]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.#QNAN", math.nan), ("-1.#IND", math.nan), ("1.#SNAN", math.nan), ("-1.#IND00", math.nan),
        ("-nan(ind)", math.nan), ("1.#INF", math.inf), ("-1.#INF", -math.inf), ("-inf", -math.inf), ("1e-005", 1e-5),
        ("2.5", 2.5), (".5", 0.5), ("3.", 3.0), ("1.2.3", 1.2),
    ],
)  # fmt: skip
def test_numbers_of_every_c_library(text: str, value: float, tmp_path: Path) -> None:
    log = read(tmp_path, f"solver.cpp:1] Iteration 3, loss = {text}")
    np.testing.assert_equal(log.losses[0].outputs["loss"], value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_logs_that_windows_wrote(encoding: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    lines = [f"I0520 23:00:{second:02}.500000  77 {line}" for second, line in enumerate(NVIDIA.splitlines())]
    path.write_bytes((end.join(lines) + end).encode(encoding))
    log = read_log(path)
    assert [row.iteration for row in log.train] == [0, 100]
    assert log.train[1].seconds == 5


def test_of_several_processes_the_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    lines = [
        f"[{rank}] I0427 11:07:{second:02}.5  125 solver.cpp:1] Iteration {second}, loss = {second + rank / 4}"
        for second in (1, 3)
        for rank in (2, 0, 1)
    ]
    path.write_text("\n".join(["starting", *lines]))
    assert [(row.iteration, row.outputs["loss"], row.seconds) for row in read_log(path).losses] == [
        (1, 1.5, 0), (3, 3.5, 2),
    ]  # fmt: skip


@pytest.mark.parametrize("stamp", ["I1320 23:00:01.5", "I0231 01:00:00.1", "I0520 25:00:00.0", "I00000520 23:00:01.0"])
def test_times_that_no_clock_shows_are_no_times(stamp: str, tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    stamps = ("I0520 23:00:00.0", stamp, "I0520 23:00:04.0")
    path.write_text("".join(f"{each} 7 solver.cpp:1] Iteration {n}, loss = 2\n" for n, each in enumerate(stamps)))
    assert [row.seconds for row in read_log(path).losses] == [0, 0, 4]


@pytest.mark.parametrize("seconds", [-(10**12), 10**12])
def test_a_file_from_an_impossible_year(seconds: int, tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("I0520 23:00:00.0 7 solver.cpp:1] Iteration 1, loss = 2\n")
    os.utime(path, (seconds, seconds))
    assert len(read_log(path).losses) == 1


def test_what_is_no_log_says_what_was_looked_for_and_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(b"\x00\x01" + b"PK" * 100 + b"\nsecond")
    with pytest.raises(
        FormatError, match=r"found none in 2 lines, the first of which is '\?\?(PK)+\.\.\.'; give the log"
    ):
        read_log(path)


def test_a_pipe_or_a_folder_is_no_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(
            DataError, match=r"expected the file of a log, found a folder, pipe or device; name the file"
        ):
            read_log(path)


def test_metrics_of_this_program_stand_beside_the_outputs(tmp_path: Path) -> None:
    lines = ("Iteration 4, Testing net (#0)", "    Test net output #0: loss = 0.5 (* 1 = 0.5 loss)",
             "    Test net metric #0: mAP = 0.625", "    Test net metric #1: y_att:F1-C = nan")  # fmt: skip
    (tmp_path / "run.log").write_text("\n".join(lines))
    (row,) = read_log(tmp_path / "run.log").tests[0]
    assert list(row.outputs) == ["loss", "mAP", "y_att:F1-C"]
    assert row.outputs["mAP"] == 0.625

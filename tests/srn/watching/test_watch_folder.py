import io
import json
import logging
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2
from caffe_compat.srn.watching.attention_watch import AttentionWatch
from caffe_compat.srn.watching.event_file import read_run
from caffe_compat.srn.watching.events import NetTested, Shown, Start
from caffe_compat.srn.watching.label_losses import find_label_losses
from caffe_compat.srn.watching.watch_folder import TerminalLine, class_names_of, summary_line, watched
from tests.data.made_files import read_picture
from tests.srn.watching.multilabel import make_solver

START = Start(0.0, 0, 12000, "net", 96)
SHOWN = Shown(9.0, 3000, 0.31234, 0.001, 120.0, 0.034)


def test_a_display_is_one_line() -> None:
    test = NetTested(8.0, 2000, 0, 0.4, {}, {"mAP": 0.6121, "F1-C": math.nan, "F1-O": 0.7})
    assert summary_line(SHOWN, START, test) == (
        "iteration 3000/12000  |  loss 0.3123  |  lr 0.001  |  120 images/s  |  2:00:00 left  |  waiting for data 3%"
        "  |  test at 2000: loss 0.4, mAP 61.2, F1-O 70.0"
    )


def test_the_first_display_knows_no_speed() -> None:
    first = Shown(9.0, 0, 0.7, 0.01, None, None)
    assert summary_line(first, START, None) == "iteration 0/12000  |  loss 0.7  |  lr 0.01"


def test_only_displays_print(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    line = TerminalLine()
    for event in (START, NetTested(8.0, 2000, 0, 0.4), NetTested(8.0, 2000, 1, 9.0), SHOWN):
        line.write(event)
    line.close()
    assert stream.getvalue().count("\n") == 1
    assert "test at 2000: loss 0.4" in stream.getvalue()


IMAGE_NET = """
name: "srn" state { phase: TEST }
layer { name: "data" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 4 dim: 3 dim: 24 dim: 36 } shape { dim: 4 dim: 5 } } }
layer { name: "z" type: "Convolution" bottom: "data" top: "z"
  convolution_param { num_output: 5 kernel_size: 6 stride: 6 weight_filler { type: "gaussian" std: 0.002 } } }
layer { name: "att" type: "Sigmoid" bottom: "z" top: "att_map" }
layer { name: "y" type: "Pooling" bottom: "att_map" top: "pooled" pooling_param { pool: AVE global_pooling: true } }
layer { name: "flat" type: "Flatten" bottom: "pooled" top: "y" }
layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "y" bottom: "label" top: "loss" }
"""


@pytest.fixture
def net():
    from google.protobuf import text_format

    torch.manual_seed(3)
    parameter = text_format.Parse(IMAGE_NET, caffe_pb2.NetParameter())
    net = build_net(parameter, parameter.state)
    fill(net, seed=1)
    return net


def fill(net, seed):
    generator = np.random.default_rng(seed)
    net.blobs["data"].data[...] = generator.uniform(-100, 150, net.blobs["data"].shape)
    net.blobs["label"].data[...] = generator.random(net.blobs["label"].shape) < 0.4
    net.forward_range(0, len(net.steps) - 1)


def test_attention_is_drawn_on_the_first_batch_with_the_weights_of_the_moment(net: Net, tmp_path: Path) -> None:
    watch = AttentionWatch(net, tmp_path / "new", ["a", "b", "c", "d", "e"])
    assert watch.is_possible
    assert watch.blobs == ["data"]
    assert watch.draw(0) == []  # no batch yet
    watch.add_batch()
    first = [path.read_bytes() for path in watch.draw(10)]
    fill(net, seed=2)
    watch.add_batch()  # a later batch, which does not count
    again = watch.draw(20)
    assert [path.name for path in again] == ["attention_20_1.jpg", "attention_20_2.jpg", "attention_20_3.jpg"]
    assert [path.read_bytes() for path in again] == first
    net.params["z"][0].data[...] += np.random.default_rng(5).normal(0, 0.02, net.params["z"][0].data.shape)
    assert watch.draw(30)[0].read_bytes() != first[0]
    drawn = read_picture(again[0])
    assert drawn is not None
    assert drawn.shape[1] > 400


def test_nets_without_attention_or_pictures_are_passed_over(tmp_path: Path) -> None:
    watch = AttentionWatch(make_solver().test_nets[0], tmp_path)
    watch.add_batch()
    assert not watch.is_possible
    assert watch.blobs == []
    assert watch.draw(1) == []


def test_a_watched_training_leaves_events_and_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    solver = make_solver("fast")
    with watched(solver, tmp_path / "run"):
        solver.solve()
    run = read_run(tmp_path / "run" / "metrics.jsonl")
    assert [test.iteration for test in run.tests] == [0, 3, 6]
    assert run.end is not None
    assert run.end.reason == "done"
    assert "Done: 6 of 6 iterations." in (tmp_path / "run" / "report.html").read_text()


def test_without_a_folder_the_log_alone_has_metrics(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    solver = make_solver()
    with caplog.at_level(logging.INFO, "caffe_compat"), watched(solver, None):
        solver.solve()
    assert "Test net metric #0: mAP" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_any_more_does_not_end_the_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    solver = make_solver()

    def refuse(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("caffe_compat.srn.watching.run_report.write_report", refuse)
    with watched(solver, tmp_path):
        solver.solve()
    assert solver.iteration == 6
    assert "No space left on device. Training goes on" in caplog.text


def test_class_names_are_those_of_the_prepared_folder(tmp_path: Path) -> None:
    net = make_solver().net
    assert class_names_of(net) == []
    for step in net.steps:
        if "label" in step.tops:
            step.layer.spec.parameter.data_param.source = str(tmp_path / "train_label_lmdb")
    assert class_names_of(net) == []  # no file of names
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert class_names_of(net) == []  # of two classes, not three
    (tmp_path / "classes.txt").write_text("cat\ndog\nbird\n")
    assert class_names_of(net) == ["cat", "dog", "bird"]
    assert len(find_label_losses(net)) == 1


def test_a_terminal_gets_a_line_for_each_display(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    solver = make_solver()
    with watched(solver, None):
        solver.solve()
    lines = [line for line in capsys.readouterr().err.splitlines() if "iteration " in line]
    assert len(lines) == 3
    assert "test at 3: loss" in lines[2]


def test_events_are_json_of_a_resumed_run(tmp_path: Path) -> None:
    for _ in range(2):
        solver = make_solver()
        with watched(solver, tmp_path):
            solver.solve()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines].count("start") == 2
    assert [test.iteration for test in read_run(tmp_path / "metrics.jsonl").tests] == [0, 3, 6]

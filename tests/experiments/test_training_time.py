"""Estimates of time."""

import pytest

from caffe_compat.experiments.demo.recipe import SRN, TINY
from caffe_compat.experiments.models import write_models
from caffe_compat.experiments.runs import Run
from caffe_compat.experiments.training_time import StepTime, against_paper, estimate_lines, start_seconds, time_run


def test_steps_are_measured_without_data(tmp_path):
    run = Run("srn", TINY.arms[SRN], tmp_path, 0)
    write_models(run.folder, run.arm, TINY.setting, 0)
    times = time_run(run, (8, 3, TINY.setting.input_size, TINY.setting.input_size), 20)
    assert [(step.iterations, step.images) for step in times] == [(3, 8)] * 4
    assert all(0 < step.seconds < 60 for step in times)
    assert {step.start for step in times} == {start_seconds()}
    assert start_seconds() > 0.1


def test_each_step_is_a_process_that_must_start():
    assert StepTime("step 1", 10, 32, 0.5, start=3).hours() == pytest.approx(8 / 3600)


def test_hours_are_shared_by_devices():
    times = [StepTime("step 1", 900, 96, 8.0), StepTime("step 2", 90, 96, 4.0)]
    assert times[0].hours() == pytest.approx(2)
    *lines, whole = estimate_lines(times, devices=4)
    assert lines == [
        "step 1: 900 iterations of 96 images, 8 s each: 30.0 minutes",
        "step 2: 90 iterations of 96 images, 4 s each: 1.5 minutes",
    ]
    assert whole == "all steps: about 31.5 minutes on 4 devices that share each batch evenly"
    assert "16 hours" in against_paper(times, 4)
    assert "0.033 times as long" in against_paper(times, 4)

"""Steps that two runs have in common are trained once."""

import dataclasses

from caffe_compat.experiments.demo.recipe import SRN, TINY
from caffe_compat.experiments.models import write_models
from caffe_compat.experiments.shared_steps import take_over_steps
from caffe_compat.srn.stages.stages import find_stages


def write(folder, seed=3, trained=0, **options):
    """The files of an arm; the first `trained` steps have weights and a log of their own."""
    arm = dataclasses.replace(TINY.arms[SRN], options=options)
    write_models(folder, arm, TINY.setting, seed)
    for stage in find_stages(folder / "models")[:trained]:
        (folder / stage.final_weights).write_text(f"weights of {folder.name}, step {stage.number}")
        (folder / stage.log_file).write_text("log")
    return folder


def taken(folder):
    return [stage.number for stage in take_over_steps(folder)]


def test_steps_before_the_difference_are_taken_over(tmp_path):
    write(tmp_path / "srn", trained=4)
    point = write(tmp_path / "point", conv4="point")
    assert taken(point) == [1, 2]
    first, second, third, _ = find_stages(point / "models")
    assert (point / second.final_weights).read_text() == "weights of srn, step 2"
    assert (point / first.log_file).read_text() == "log"
    assert not (point / third.final_weights).exists()
    assert taken(point) == []  # nothing twice


def test_only_trained_steps_are_taken_over(tmp_path):
    write(tmp_path / "srn", trained=1)
    assert taken(write(tmp_path / "point", conv4="point")) == [1]


def test_another_seed_or_solver_shares_nothing(tmp_path):
    write(tmp_path / "srn", seed=4, trained=4)
    assert taken(write(tmp_path / "point", conv4="point")) == []


def test_a_later_step_of_other_first_steps_is_not_taken(tmp_path):
    """Step 2 is the same in both, but starts from other weights."""
    write(tmp_path / "srn", trained=4)
    other = write(tmp_path / "other")
    solver = find_stages(other / "models")[0].solver_file
    solver.write_text(solver.read_text().replace("base_lr: 0.02", "base_lr: 0.03"))
    assert taken(other) == []

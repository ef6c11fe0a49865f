from pathlib import Path

import pytest

from caffe_compat.errors import SolverError
from caffe_compat.proto.write import write_text
from caffe_compat.srn.stages.stages import choose_stages, find_stages, starting_point
from prototxt_gen.files import generate


@pytest.fixture
def folder(tmp_path):
    """The solver files of an SRN, twelve iterations a step."""
    for name, message in generate(str(tmp_path), labels=3, depth=26, width=1, max_iter=12).items():
        write_text(tmp_path / name, message)
    return tmp_path


def test_steps_are_found_in_order(folder):
    stages = find_stages(folder)

    assert [str(stage) for stage in stages] == [
        "step 1 (resnet101)", "step 2 (resnet101_att)", "step 3 (resnet101_srn)", "step 4 (resnet101_srn_finetune)",
    ]  # fmt: skip
    assert stages[1].final_weights == f"{folder}/step_2_resnet101_att_iter_12.caffemodel"


def test_a_folder_without_solvers_or_with_gaps_is_an_error(folder, tmp_path):
    (folder / "step_2_resnet101_att_solver.prototxt").unlink()
    with pytest.raises(SolverError, match=r"^.*: expected solvers step_1_\*.*, found steps: 1, 3, 4; generate"):
        find_stages(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SolverError, match=r"^.*empty: expected solvers .*, found steps: none; generate the files"):
        find_stages(tmp_path / "empty")


@pytest.mark.parametrize(("which", "numbers"), [("all", [1, 2, 3, 4]), ("3", [3]), ("2-4", [2, 3, 4])])
def test_some_steps_can_be_chosen(folder, which, numbers):
    assert [stage.number for stage in choose_stages(find_stages(folder), which)] == numbers


@pytest.mark.parametrize("which", ["5", "0", "two", "1-9", "-2"])
def test_steps_that_are_not_there_are_errors(folder, which):
    with pytest.raises(SolverError, match=rf"^--step {which}: expected all, a number from 1 to 4, or two of them"):
        choose_stages(find_stages(folder), which)


def test_each_step_starts_from_the_last_ones_weights(folder):
    first, second, *_ = stages = find_stages(folder)

    assert starting_point(first, stages) == {}
    with pytest.raises(
        SolverError, match=r"^step 2 \(resnet101_att\): expected the weights of step 1 \(resnet101\) in"
    ):
        starting_point(second, stages)
    Path(first.final_weights).touch()
    assert first.is_done
    assert starting_point(second, stages) == {"weights": first.final_weights}


def test_an_interrupted_step_goes_on_from_the_newest_whole_snapshot(folder):
    _, second, *_ = stages = find_stages(folder)
    (folder / "step_2_resnet101_att_iter_9.caffemodel").touch()
    with pytest.raises(SolverError, match=r"^step 2"):
        starting_point(second, stages)  # weights without a state are no snapshot
    (folder / "step_2_resnet101_att_iter_9.solverstate").touch()

    assert second.has_snapshot
    assert starting_point(second, stages) == {"snapshot": "auto"}


def test_the_report_of_a_step_lies_beside_its_snapshots(folder):
    assert find_stages(folder)[1].watch_folder == f"{folder}/step_2_resnet101_att_watch"

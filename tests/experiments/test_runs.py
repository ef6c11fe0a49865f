import pytest

from caffe_compat.errors import SolverError
from caffe_compat.experiments import runs
from caffe_compat.experiments.demo.recipe import BASELINE, SRN, TINY
from caffe_compat.experiments.models import write_models
from caffe_compat.experiments.runs import Run, iterations_done, train


@pytest.mark.slow
def test_a_run_that_fails_says_why(tmp_path):
    run = Run(BASELINE, TINY.arms[BASELINE], tmp_path / "scenes", 0)
    write_models(run.folder, run.arm, TINY.setting, seed=0)  # and no data

    with pytest.raises(
        SolverError, match=r"^ResNet-26 on scenes, seed 0: training failed: caffe-compat train-stages: step 1 "
    ):
        train([run], lambda line: None)
    assert "cannot open LMDB '../data/train_image_lmdb'" in (run.folder / "training.log").read_text()


def test_iterations_are_counted_from_weights_and_logs(tmp_path):
    run = Run(SRN, TINY.arms[SRN], tmp_path / "scenes", 0)
    write_models(run.folder, run.arm, TINY.setting, seed=0)
    first, second, *_ = run.stages
    assert iterations_done(run) == 0
    (run.folder / first.final_weights).touch()
    (run.folder / second.log_file).write_text(
        "x" * 9000 + "Iteration 0 (1 iter/s), loss = 2\nIteration 1, loss = 3\nIteration 1"
    )
    assert iterations_done(run) == first.solver.max_iter + 1


def test_the_devices_of_a_run_predict(tmp_path, monkeypatch):
    given = []

    class Scores:
        def __init__(self, *_, gpus, **__):
            given.append(gpus)

        def predict(self, paths):
            return [[0.5, -1.0]] * len(paths)

    monkeypatch.setattr(runs, "Predictor", Scores)
    run = Run(SRN, TINY.arms[SRN], tmp_path / "scenes", 0, gpus=(1,))
    write_models(run.folder, run.arm, TINY.setting, seed=0)
    (run.dataset / "data").mkdir()
    run.files("test").image_list.write_text("a.jpg 1\nb.jpg 2\n")
    assert runs.predict(run, "y").tolist() == [[0.5, -1.0]] * 2
    assert given == [(1,)]

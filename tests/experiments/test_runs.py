import pytest

from caffe_compat.errors import SolverError
from caffe_compat.experiments.demo.recipe import BASELINE, TINY
from caffe_compat.experiments.models import write_models
from caffe_compat.experiments.runs import Run, train


def test_a_run_that_fails_says_why(tmp_path):
    run = Run(BASELINE, TINY.arms[BASELINE], tmp_path / "scenes", 0)
    write_models(run.folder, run.arm, TINY.setting, seed=0)  # and no data

    with pytest.raises(
        SolverError, match=r"^ResNet-26 on scenes, seed 0: training failed: caffe-compat train-stages: step 1 "
    ):
        train([run], lambda line: None)
    assert "cannot open LMDB '../data/train_image_lmdb'" in (run.folder / "training.log").read_text()

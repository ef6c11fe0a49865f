"""The table of compared methods: what each row generates, trains and predicts."""

import numpy as np
import pytest

from caffe_compat.experiments.arms import Setting
from caffe_compat.experiments.compared.method import Budget
from caffe_compat.experiments.compared.people_scenes import write_people_scenes
from caffe_compat.experiments.compared.rows import ROWS, rows_of
from caffe_compat.net.build import load_net
from caffe_compat.srn.datasets.scene_pictures import CELL
from caffe_compat.srn.datasets.scene_rules import CLASS_NAMES, SceneRules
from caffe_compat.srn.datasets.scenes import write_scenes

SCENES = {"train": 24, "val": 8, "test": 11}
BUDGET = Budget(
    Setting(
        images=SCENES,
        labels=len(CLASS_NAMES),
        input_size=CELL * SceneRules().grid,
        batch_size=8,
        options={"backbone": "narrow", "width": 4},
    ),
    epochs=2,
    rate=0.01,
)


def test_tables_list_the_methods_that_the_paper_lists():
    assert [method.name for method in rows_of(1).values()][:2] == ["KNN", "WARP"]
    assert "warp" in rows_of(2)
    assert "knn" not in rows_of(2)
    assert [method.name for method in rows_of(3).values()] == ["R-CNN", "R*CNN", "DHC"]
    assert all(method.citation and method.ours for method in ROWS.values())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A folder with scenes in its folder `data`."""
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder / "data", SCENES, 5, SceneRules())
    return folder


@pytest.mark.parametrize("key", rows_of(1))
def test_every_row_writes_files_for_its_budget(dataset, key):
    run = ROWS[key].prepare(dataset / key, 3, BUDGET)
    iterations = [stage.solver.max_iter for stage in run.stages]
    assert sum(iterations) == BUDGET.epochs * 3  # 24 scenes in batches of 8
    assert run.deploy_net.exists()
    assert run.files("test").folder == dataset / "data"


@pytest.mark.parametrize("key", rows_of(3))
def test_rows_of_table_3_write_files_for_the_regions_of_the_data(tmp_path, key):
    write_people_scenes(tmp_path / "data", {"train": 2}, 4)
    run = ROWS[key].prepare(tmp_path / key, 3, BUDGET)
    net = load_net(str(run.deploy_net), "TEST")
    assert net.blobs["data"].shape == (1, 3, 136, 136)
    assert net.blobs["rois"].shape == ({"r_cnn": 1, "r_star_cnn": 11, "dhc": 8}[key], 5)
    assert net.blobs["y"].shape == (1, len(CLASS_NAMES))


@pytest.mark.slow
@pytest.mark.parametrize("key", rows_of(1))
def test_rows_of_table_1_train_and_predict(dataset, key):
    method = ROWS[key]
    run = method.train(dataset / key, 3, BUDGET)
    scores = method.predict(run)
    assert scores.shape == (SCENES["test"], len(CLASS_NAMES))
    assert np.isfinite(scores).all()
    assert np.array_equal(scores, method.predict(run))

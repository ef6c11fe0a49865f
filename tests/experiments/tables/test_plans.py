"""What the tables are made of."""

import json
from pathlib import Path

import pytest

from caffe_compat.errors import DataError
from caffe_compat.experiments.mechanism.trials import StudyRow
from caffe_compat.experiments.models import write_models
from caffe_compat.experiments.tables import form
from caffe_compat.experiments.tables.paper_numbers import PAPER_TABLES
from caffe_compat.experiments.tables.plans import DEMO_TABLES, demo_plan, full_plan
from caffe_compat.experiments.tables.run_table import Measured
from caffe_compat.proto.read import read_net
from caffe_compat.srn.datasets.coco import coco
from caffe_compat.srn.datasets.nus_wide import nus_wide
from caffe_compat.srn.datasets.outcomes import PictureRules
from caffe_compat.srn.datasets.prepare import prepare
from caffe_compat.srn.datasets.wider_attribute import wider_attribute
from caffe_compat.srn.stages.stages import find_stages
from tests.srn.datasets.synthetic_coco import write_coco
from tests.srn.datasets.synthetic_nus_wide import write_nus_wide
from tests.srn.datasets.synthetic_wider_attribute import write_wider_attribute


@pytest.mark.parametrize("name", DEMO_TABLES)
def test_all_rows_have_the_same_budget(name):
    plan = demo_plan(name)
    ours = [row.arm(Path()) for row in plan.rows if row.title.startswith(("ResNet", "SRN"))]
    assert {arm.epochs for arm in ours} == {plan.epochs}
    assert len({row.key for row in plan.rows}) == len(plan.rows)


@pytest.mark.parametrize("name", sorted(set(DEMO_TABLES) & set(PAPER_TABLES)))
def test_rows_are_named_and_ordered_as_in_the_paper(name):
    titles = [row.title for row in demo_plan(name).rows]
    assert titles == [title for title in PAPER_TABLES[name].rows if title in titles]
    assert titles[-5:] == ["ResNet-101", "ResNet-107", "ResNet-101-semantic", "ResNet-SRN-att", "ResNet-SRN"]


def test_rows_that_other_tables_train_too_have_their_folders():
    keys = {row.key: row for row in demo_plan("1").rows}
    for arm in ("backbone", "baseline"):
        study = StudyRow(arm, 111, 1000)
        assert keys[study.run_name].arm(Path()).steps == study.made_of.arm.steps
    controls = [StudyRow(arm).run_name for arm in ("srn", "srn_att")]
    assert controls == [row.key for row in demo_plan("ablations").rows[:2]]


def test_each_ablation_changes_the_nets_or_the_solvers(tmp_path):
    plan = demo_plan("ablations")
    contents = []
    for row in plan.rows:
        write_models(tmp_path / row.key, row.arm(tmp_path), plan.setting, 0)
        last = find_stages(tmp_path / row.key / "models")[-1]
        contents.append((list(read_net(tmp_path / row.key / last.solver.net).layer), last.solver))
    assert all(one != other for number, one in enumerate(contents) for other in contents[:number])


def test_an_end_to_end_training_is_the_last_step_alone(tmp_path):
    plan = demo_plan("ablations")
    (row,) = [row for row in plan.rows if row.key.startswith("end_to_end")]
    write_models(tmp_path, row.arm(tmp_path), plan.setting, 0)
    (stage,) = find_stages(tmp_path / "models")
    assert stage.solver.max_iter == 25 * 50
    layers = {layer.name: layer for layer in read_net(tmp_path / stage.solver.net).layer}
    assert {"loss", "loss_att", "srn_conv4"} <= set(layers)
    assert layers["conv1"].param[0].lr_mult == layers["srn_conv4"].param[0].lr_mult == 1


@pytest.fixture
def prepared(tmp_path):
    prepare(coco(*write_coco(tmp_path / "raw")), tmp_path / "coco", PictureRules(size=72, folder=True), 1)
    return tmp_path / "coco"


def test_the_full_plan_follows_the_prepared_folder(prepared, tmp_path):
    plan = full_plan("2", prepared)
    assert (plan.setting.labels, plan.setting.images["train"], plan.folder) == (5, 8, "coco_8")
    figures = dict.fromkeys(plan.columns, 0.5)
    shown = form.markdown(plan, [Measured(row, 0, figures) for row in plan.rows])
    assert f"(8 train, {plan.setting.images['test']} test images)" in shown  # no validation split was prepared
    assert [row.title for row in plan.rows] == [title for title in PAPER_TABLES["2"].rows if title in
                                                {row.title for row in plan.rows}]  # fmt: skip
    assert plan.epochs == plan.rows[-1].arm(prepared).epochs == 80
    write_models(tmp_path / "run", plan.rows[-1].arm(prepared), plan.setting, 0)
    first, *_ = find_stages(tmp_path / "run" / "models")
    assert (first.solver.iter_size, first.solver.max_iter, first.solver.base_lr) == pytest.approx((4, 30, 1e-3))


def small_nus_wide(root):
    folder, images = write_nus_wide(root)
    return nus_wide(folder, images, {})


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("1", small_nus_wide),
        ("2", lambda root: coco(*write_coco(root))),
        ("3", lambda root: wider_attribute(*write_wider_attribute(root))),
    ],
)
def test_the_papers_models_are_generated_for_each_benchmark(tmp_path, name, source):
    """From a small copy of each dataset, through `prepare`, to nets that read its databases."""
    prepare(source(tmp_path / "raw"), tmp_path / "data", PictureRules(size=72, folder=True), 1)
    plan = full_plan(name, tmp_path / "data", depth=26, width=4)
    assert plan.columns == PAPER_TABLES[name].columns
    for row in plan.rows[-5:]:
        write_models(tmp_path / row.key, row.arm(tmp_path / "data"), plan.setting, 0)
        last = find_stages(tmp_path / row.key / "models")[-1]
        labels = [layer for layer in read_net(tmp_path / row.key / last.solver.net).layer if "label" in layer.top]
        assert labels[0].data_param.source == "../data/train_label_lmdb"


def test_what_is_no_prepared_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"expected a folder that prepare wrote, found no summary.json there; give it"):
        full_plan("2", tmp_path)
    splits = ("train", "val")
    (tmp_path / "summary.json").write_text(
        json.dumps({"labels": 5, "stored": ["folder"], "unknown labels": False,
                    "splits": {split: {"images": 3, "side": 0} for split in splits}})
    )  # fmt: skip
    with pytest.raises(DataError, match=r"expected a test split, on which tables are measured, found train, val; prep"):
        full_plan("2", tmp_path)
    prepare(coco(*write_coco(tmp_path / "raw")), tmp_path / "coco", PictureRules(size=24), 1)
    with pytest.raises(DataError, match=r"expected pictures in a folder too.*found lmdb alone; prepare the data with"):
        full_plan("2", tmp_path / "coco")

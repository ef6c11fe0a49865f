"""Rates, training and measurement of a table; one small table in whole."""

import dataclasses

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.experiments.arms import ArmStep
from caffe_compat.experiments.reproduce import reproduce_table
from caffe_compat.experiments.tables import run_table
from caffe_compat.experiments.tables.plans import demo_plan, full_plan
from caffe_compat.experiments.tables.run_table import RATE_SEED, choose_rates, make_rows
from caffe_compat.srn.datasets.coco import coco
from caffe_compat.srn.datasets.outcomes import PictureRules
from caffe_compat.srn.datasets.prepare import prepare
from caffe_compat.srn.metrics.text_matrices import read_labels
from tests.srn.datasets.synthetic_coco import write_coco


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """A plan whose rows score by their key, without training: noise over the labels grows with the second number."""
    whole = demo_plan("ablations")
    noise = {"good": 0.1, "bad": 2.0}

    def scores(run, split):
        labels = read_labels(run.files(split).labels)
        key = "good" if run.name.endswith("_rate_2") == run.name.startswith("srn_15") else "bad"
        random = np.random.default_rng(run.seed)
        return labels - 0.5 + noise[key] * random.standard_normal(labels.shape)

    def train(runs, say, flags):
        trained.extend((run.name, run.seed) for run in runs)

    trained: list[tuple[str, int]] = []
    monkeypatch.setattr(run_table, "train", train)
    setting = dataclasses.replace(whole.setting, images={"train": 6, "val": 40, "test": 30})
    rows = [dataclasses.replace(row, scores=scores) for row in whole.rows[:2]]

    def write_data(folder, seed):
        folder.mkdir()
        random = np.random.default_rng(seed)
        for split, number in setting.images.items():
            np.savetxt(folder / f"{split}_labels.txt", random.integers(2, size=(number, 11)), fmt="%d")

    return dataclasses.replace(whole, rows=rows, setting=setting, write_data=write_data), trained


def test_each_row_gets_the_rate_that_is_best_on_validation(plan, tmp_path):
    plan, trained = plan
    said: list[str] = []
    assert choose_rates(plan, tmp_path, said.append, (1, 2)) == [2, 1]
    assert {seed for _, seed in trained} == {RATE_SEED}
    assert [name for name, _ in trained] == ["srn_15", "srn_15_rate_2", "srn_att_15", "srn_att_15_rate_2"]
    assert "validation mAP by factor of the rates: " in said[-1]
    assert choose_rates(plan, tmp_path, said.append, (3,)) == [3, 3]  # nothing to choose, nothing trained


def test_rates_need_a_validation_split(plan, tmp_path):
    plan, trained = plan
    tested = dataclasses.replace(plan.setting, options={"test_split": "test"})
    with pytest.raises(DataError, match=r"relations: expected a validation split, on which --rates are chosen, found"):
        choose_rates(dataclasses.replace(plan, setting=tested), tmp_path, print, (1, 2))
    assert not trained


def test_rows_are_measured_once(plan, tmp_path):
    plan, trained = plan
    first = make_rows(plan, (0, 1), tmp_path, lambda line: None)
    assert [(item.row.key, item.seed) for item in first] == [
        ("srn_15", 0), ("srn_15", 1), ("srn_att_15", 0), ("srn_att_15", 1),
    ]  # fmt: skip
    assert {"mAP", "F1-C", "top3 F1-C", "presence AP", "relation AP"} <= set(first[0].figures)
    labels = np.loadtxt(tmp_path / "seed_0" / plan.folder / "data/test_labels.txt")
    assert first[0].figures["chance mAP"] == pytest.approx(labels.mean())
    assert first[0].figures["chance relation AP"] == pytest.approx(labels[:, 5:].mean())
    assert len(trained) == 4
    assert make_rows(plan, (0, 1), tmp_path, lambda line: None) == first
    assert len(trained) == 4


@pytest.mark.slow
def test_table_2_at_full_scale_on_a_small_copy_of_coco(tmp_path):
    """Two rows with small nets, from a folder that prepare wrote to the written table."""
    rules = PictureRules(size=72, test_size=64, folder=True)
    prepare(coco(*write_coco(tmp_path / "raw")), tmp_path / "coco", rules, 1)
    steps = (ArmStep(1, 1e-3),) * 4
    plan = full_plan(
        "2", tmp_path / "coco", steps=steps, batch_size=4, iter_size=2, depth=26, width=2, head_width=4, input_size=64,
        solver_mode="CPU", augmentation="crop",
    )  # fmt: skip
    titles = ("ResNet-101-semantic", "ResNet-SRN")
    plan = dataclasses.replace(plan, rows=[row for row in plan.rows if row.title in titles])
    said: list[str] = []
    shown = reproduce_table(plan, 1, tmp_path / "out", said.append)
    assert "trainings to do, about" in said[0]
    for title in titles:
        assert f"| {title} |" in shown
    assert (tmp_path / "out/2.tex").exists()
    assert reproduce_table(plan, 1, tmp_path / "out", said.append) == shown

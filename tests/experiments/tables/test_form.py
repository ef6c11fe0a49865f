"""The form of the tables."""

import dataclasses

import pytest

from caffe_compat.experiments.tables import form
from caffe_compat.experiments.tables.paper_numbers import PAPER_TABLES
from caffe_compat.experiments.tables.plans import demo_plan
from caffe_compat.experiments.tables.run_table import Measured


def measured(plan, rows, value=lambda row, seed: 0.5):
    figures = dict.fromkeys(plan.columns, 0.0)
    return [
        Measured(row, seed, figures | {name: value(number, seed) for name in figures})
        for number, row in enumerate(rows)
        for seed in (0, 1)
    ]


@pytest.fixture(scope="module")
def plan():
    whole = demo_plan("1")
    return dataclasses.replace(whole, rows=[row for row in whole.rows if row.title in ("WARP", "ResNet-SRN")])


def test_papers_numbers_stand_below_ours(plan):
    lines = form.markdown(plan, measured(plan, plan.rows, lambda row, seed: 0.4 + 0.02 * seed)).splitlines()
    assert lines[0].startswith("|  | mAP | F1-C | P-C | R-C | F1-O | P-O | R-O | top-3 F1-C |")
    assert lines[4].startswith("| ResNet-SRN | 41.0 ± 12.7 | 41.0 ± 12.7 |")
    assert lines[5].startswith("| *paper, NUS-WIDE* | *62.0* | *58.5* |")
    assert lines[-3] == (
        "Per cent, mean of 2 seeds ± half of the 95 % t-interval. Data: relations (500 train, 200 val, 1,000 test "
        "images). All rows train for 25 epochs."
    )


def test_gains_in_map_are_over_the_papers_baseline_and_paired():
    plan = demo_plan("2")
    rows = [row for row in plan.rows if row.title in ("ResNet-101", "ResNet-107", "ResNet-SRN")]
    plan = dataclasses.replace(plan, rows=[rows[1], rows[0], rows[2]])
    items = measured(plan, plan.rows, lambda number, seed: 0.4 + 0.05 * number + 0.01 * number * seed)
    assert form.markdown(plan, items).splitlines()[-1] == (
        "mAP minus that of ResNet-101, in points, paired by seed: ResNet-107 -5.5 (-11.9 to +0.9); "
        "ResNet-SRN +5.5 (-0.9 to +11.9)."
    )
    gains = [row["gain"] for row in form.as_json(plan, items)["rows"]]
    assert gains[1] is None
    assert gains[2]["mean"] == pytest.approx(5.5)


def test_a_reader_sees_what_chance_gives():
    plan = demo_plan("3")
    items = [Measured(plan.rows[0], seed, {"chance mAP": 0.4 + seed / 10, "chance box AP": 0.5}) for seed in (0, 1)]
    whole = [dataclasses.replace(item, figures=item.figures | dict.fromkeys(plan.columns, 0.5)) for item in items]
    plan = dataclasses.replace(plan, rows=plan.rows[:1])
    shown = form.markdown(plan, whole)
    assert shown.endswith("train for 8 epochs. By chance: mAP 45.0, box AP 50.0.\n")
    assert "*paper, WIDER-Attribute*" in shown


def test_scores_without_a_threshold_show_only_ranks(plan):
    warp, *_ = plan.rows
    assert form.shown_columns(plan, warp)[0] == "mAP"
    assert all(name == "mAP" or name.startswith("top3 ") for name in form.shown_columns(plan, warp))
    row = form.markdown(plan, measured(plan, plan.rows)).splitlines()[2]
    assert row.startswith("| WARP | 50.0 ± 0.0 |  |  |  |  |  |  | 50.0 ± 0.0 |")


def test_latex_has_the_papers_groups(plan):
    text = form.latex(plan, measured(plan, plan.rows))
    assert r" & \multicolumn{7}{c}{All} & \multicolumn{6}{c}{top-3} \\" in text
    assert r"50.0 $\pm$ 0.0" in text
    assert r"\textit{paper, NUS-WIDE} & \textit{62.0}" in text


def test_ablations_show_the_gain_over_the_first_row():
    plan = demo_plan("ablations")
    plan = dataclasses.replace(plan, rows=plan.rows[:2])
    lines = form.markdown(plan, measured(plan, plan.rows, lambda row, seed: 0.9 - 0.1 * row * (1 + seed))).splitlines()
    assert lines[0] == "|  | mAP | F1-C | F1-O | presence AP | relation AP | gain in relation AP |"
    assert lines[2].endswith("| 90.0 ± 0.0 |  |")
    assert lines[3].endswith("| -15.0 (-78.5 to +48.5) |")


def test_json_has_seeds_and_papers_numbers(plan):
    content = form.as_json(plan, measured(plan, plan.rows))
    row = content["rows"][1]
    assert (row["title"], content["epochs"], row["rate_factor"]) == ("ResNet-SRN", 25, 1)
    assert row["seeds"]["1"]["mAP"] == 0.5
    assert row["paper"]["top3 F1-C"] == 48.9
    assert row["per_cent"]["mAP"]["mean"] == 50.0


def test_papers_tables_have_a_number_for_each_column():
    for table in PAPER_TABLES.values():
        assert all(len(numbers) == len(table.columns) for numbers in table.rows.values())
    assert [PAPER_TABLES[name].top for name in "123"] == ["top3", "top3+filter", ""]

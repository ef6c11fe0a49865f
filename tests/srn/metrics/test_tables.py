import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffe_compat.srn.metrics.report import Request, evaluate
from caffe_compat.srn.metrics.tables import terminal_lines, write_csv, write_latex


@pytest.fixture
def request_of_two(tmp_path):
    generator = np.random.default_rng(17)
    labels = generator.random((40, 4)) < 0.4
    labels[:, 2] = False
    np.savetxt(tmp_path / "labels.txt", labels, fmt="%d")
    scores = generator.normal(size=(40, 4))
    np.savetxt(tmp_path / "base.txt", scores)
    np.savetxt(tmp_path / "srn_1.txt", scores + labels)
    return {"labels": tmp_path / "labels.txt", "predictions": [tmp_path / "base.txt", tmp_path / "srn_1.txt"]}


@pytest.mark.parametrize(
    ("dataset", "groups"),
    [
        ("coco", ["All", "top-3"]),
        ("nus_wide", ["All", "top-3"]),
        ("own", ["All", "top-3"]),
        ("wider_att", ["All", "Specified only"]),
    ],
)
def test_terminal_lines_are_the_columns_of_the_papers_table(
    request_of_two: dict[str, Any], dataset: str, groups: list[str]
) -> None:
    report = evaluate(Request(dataset, **request_of_two))
    text = list(terminal_lines(report))
    assert len(text) == 4 * len(groups)
    assert [text[place].removesuffix("     mAP").rstrip().partition("  ")[0] for place in (0, 4)] == groups
    assert text[0].split() == ["All", "mAP", "F1-C", "P-C", "R-C", "F1-O", "P-O", "R-O"]
    assert text[2].split()[:2] == ["srn_1", f"{100 * report.measurements[1].figures['mAP']:.1f}"]
    assert text[3].split()[:4] == ["gain", "of", "srn_1", f"{100 * report.comparisons[0].gains['mAP']:+.1f}"]


def test_intervals_stand_under_figures_and_gains(request_of_two: dict[str, Any]) -> None:
    report = evaluate(Request("coco", **request_of_two, rounds=3))
    text = list(terminal_lines(report))
    assert len(text) == 14
    low, high = report.measurements[0].intervals()["mAP"]
    assert text[2].split()[0] == f"{100 * low:.1f}..{100 * high:.1f}"
    low, high = report.comparisons[0].gain_intervals["R-O"]
    assert text[6].split()[-1] == f"{100 * low:+.1f}..{100 * high:+.1f}"
    assert len({len(line) for line in text[:7]}) == 1


def test_csv_has_a_line_a_class_and_a_gap_where_nothing_is_defined(
    request_of_two: dict[str, Any], tmp_path: Path
) -> None:
    report = evaluate(Request("coco", **request_of_two))
    write_csv(report, tmp_path / "classes.csv")
    with (tmp_path / "classes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["class 1", "class 2", "class 3", "class 4"]
    assert float(rows[3]["srn_1 AP"]) == report.measurements[1].ap[3]
    assert float(rows[0]["srn_1 AP gain"]) == report.measurements[1].ap[0] - report.measurements[0].ap[0]
    assert rows[2]["base AP"] == rows[2]["co-occurring labels"] == ""
    assert rows[2]["positives"] == "0"
    assert "training images" not in rows[0]


def test_csv_has_the_numbers_of_training_images_where_a_summary_tells_them(
    request_of_two: dict[str, Any], tmp_path: Path
) -> None:
    counts = {"a": 7, "b": 0, "c": 1, "d": 12}
    (tmp_path / "summary.json").write_text(json.dumps({"splits": {"train": {"label counts": counts}}}))
    write_csv(evaluate(Request("own", **request_of_two)), tmp_path / "classes.csv")
    with (tmp_path / "classes.csv").open(newline="") as file:
        assert {row["class"]: int(row["training images"]) for row in csv.DictReader(file)} == counts


def test_csv_of_one_file_has_plain_headings(request_of_two: dict[str, Any], tmp_path: Path) -> None:
    request_of_two["predictions"] = request_of_two["predictions"][:1]
    write_csv(evaluate(Request("coco", **request_of_two)), tmp_path / "classes.csv")
    heading = (tmp_path / "classes.csv").read_text().splitlines()[0]
    assert heading == "class,positives,co-occurring labels,AP,P,R,F1"


def test_latex_escapes_names_and_marks_the_best(request_of_two: dict[str, Any], tmp_path: Path) -> None:
    write_latex(evaluate(Request("coco", **request_of_two, names=["50% & more", "srn_1"])), tmp_path / "table.tex")
    rows = [line for line in (tmp_path / "table.tex").read_text().splitlines() if line.endswith(r"\\")]
    assert [row.count("&") for row in rows] == [2, 14, 13]
    assert rows[1].startswith(r"50\% \& more & ")
    assert rows[2].startswith(r"srn\_1 & \textbf{")


def test_latex_has_intervals_and_gains_after_a_bootstrap(request_of_two: dict[str, Any], tmp_path: Path) -> None:
    report = evaluate(Request("own", **request_of_two, rounds=4, title="mine\n\\input{x}"))
    write_latex(report, tmp_path / "table.tex")
    lines = (tmp_path / "table.tex").read_text().splitlines()
    assert lines[0] == r"% mine \input{x}, 40 images; needs no package"
    rows = [line for line in lines if line.endswith(r"\\")]
    assert len(rows) == 1 + 2 * 2 + 2
    assert rows[2].count(r"{\scriptsize[") == rows[6].count(r"{\scriptsize[") == 13
    assert rows[5].startswith(r"\hline srn\_1 $-$ base & $")

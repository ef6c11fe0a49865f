import csv

import numpy as np
import pytest

from caffe_compat.srn.metrics.report import Request, evaluate
from caffe_compat.srn.metrics.tables import interval_lines, terminal_lines, write_csv, write_latex


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


@pytest.mark.parametrize(("dataset", "lines"), [("coco", 6), ("nus_wide", 6), ("wider_att", 3)])
def test_terminal_lines_are_the_columns_of_the_papers_table(request_of_two, dataset, lines) -> None:
    report = evaluate(Request(dataset, **request_of_two))
    text = list(terminal_lines(report))
    assert len(text) == lines
    assert text[0].split() == ["All", "mAP", "F1-C", "P-C", "R-C", "F1-O", "P-O", "R-O"]
    assert text[2].split()[:2] == ["srn_1", f"{100 * report.measurements[1].figures['mAP']:.1f}"]


def test_interval_lines_name_figure_and_gain(request_of_two) -> None:
    text = list(interval_lines(evaluate(Request("coco", **request_of_two, rounds=3))))
    assert len(text) == 9
    assert text[0].startswith("base: mAP between ")
    assert text[-1].startswith("srn_1 over base: F1-O +")


def test_no_interval_lines_without_bootstrap(request_of_two) -> None:
    assert not list(interval_lines(evaluate(Request("coco", **request_of_two))))


def test_csv_has_a_line_a_class_and_a_gap_where_nothing_is_defined(request_of_two, tmp_path) -> None:
    report = evaluate(Request("coco", **request_of_two))
    write_csv(report, tmp_path / "classes.csv")
    with (tmp_path / "classes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["class 1", "class 2", "class 3", "class 4"]
    assert float(rows[3]["srn_1 AP"]) == report.measurements[1].ap[3]
    assert float(rows[0]["srn_1 AP gain"]) == report.measurements[1].ap[0] - report.measurements[0].ap[0]
    assert rows[2]["base AP"] == rows[2]["co-occurring labels"] == ""
    assert rows[2]["positives"] == "0"


def test_csv_of_one_file_has_plain_headings(request_of_two, tmp_path) -> None:
    request_of_two["predictions"] = request_of_two["predictions"][:1]
    write_csv(evaluate(Request("coco", **request_of_two)), tmp_path / "classes.csv")
    heading = (tmp_path / "classes.csv").read_text().splitlines()[0]
    assert heading == "class,positives,co-occurring labels,AP,P,R,F1"


def test_latex_escapes_names_and_marks_the_best(request_of_two, tmp_path) -> None:
    write_latex(evaluate(Request("coco", **request_of_two, names=["50% & more", "srn_1"])), tmp_path / "table.tex")
    rows = [line for line in (tmp_path / "table.tex").read_text().splitlines() if line.endswith(r"\\")]
    assert [row.count("&") for row in rows] == [2, 14, 13]
    assert rows[1].startswith(r"50\% \& more & ")
    assert rows[2].startswith(r"srn\_1 & \textbf{")

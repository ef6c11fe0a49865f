import json
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.srn.metrics.figures import write_png
from caffe_compat.srn.metrics.report import Request, evaluate
from tests.data.made_files import read_picture


def draw(tmp_path, count, **more):
    generator = np.random.default_rng(2)
    labels = generator.random((30, 6)) < 0.5
    labels[:, 1] = False
    np.savetxt(tmp_path / "labels.txt", labels, fmt="%d")
    predictions = [tmp_path / f"{index}.txt" for index in range(count)]
    for index, path in enumerate(predictions):
        np.savetxt(path, generator.normal(size=(30, 6)) + index * labels)
    write_png(evaluate(Request("coco", tmp_path / "labels.txt", predictions, **more)), tmp_path / "figure.png")
    return read_picture(tmp_path / "figure.png")


@pytest.mark.parametrize(("files", "panels"), [(1, 1), (2, 2), (3, 4)])
def test_two_panels_for_each_comparison(tmp_path: Path, files: int, panels: int) -> None:
    height, width, _ = draw(tmp_path, files).shape
    assert height == pytest.approx(120 * (1.0 + 2.6 * panels), abs=1)
    assert width == 720


@pytest.mark.parametrize(("files", "panels"), [(1, 1), (2, 3), (3, 6)])
def test_a_third_panel_shows_how_often_training_saw_each_class(tmp_path: Path, files: int, panels: int) -> None:
    counts = {name: 10**place for place, name in enumerate("abcdef")}
    (tmp_path / "summary.json").write_text(json.dumps({"splits": {"train": {"label counts": counts}}}))
    assert draw(tmp_path, files).shape[0] == pytest.approx(120 * (1.0 + 2.6 * panels), abs=1)


def test_names_are_taken_as_they_are_and_long_titles_fit(tmp_path: Path) -> None:
    """A dollar sign begins no formula, a letter that the font lacks no warning, and nothing is cut at the edge."""
    (tmp_path / "classes.txt").write_text("per$on$\n$\\frac$\n\u65e5\u672c\na & b\nc_1\n100%\n", encoding="utf-8")
    names = ["$x^$ " + "a long name of a run " * 4, "another " * 12]
    picture = draw(tmp_path, 2, names=names, class_names=tmp_path / "classes.txt")
    edges = np.concatenate([picture[:, :2], picture[:, -2:]], axis=1)
    assert (edges == 255).all()

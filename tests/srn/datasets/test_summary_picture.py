import numpy as np
import pytest

from caffe_compat.srn.datasets import summary_picture
from caffe_compat.srn.datasets.label_statistics import LabelStatistics
from caffe_compat.srn.datasets.progress import WrittenSoFar
from caffe_compat.srn.datasets.summary import SplitSummary, Summary
from caffe_compat.srn.datasets.summary_picture import write_summary_picture
from tests.data.made_files import read_picture


@pytest.mark.parametrize("most_named", [3, 2])
def test_the_picture_is_the_same_each_time(tmp_path, monkeypatch, most_named):
    monkeypatch.setattr(summary_picture, "MOST_NAMED", most_named)
    train = SplitSummary(
        WrittenSoFar(), LabelStatistics(9, np.array([[7, 3, 0], [3, 5, 0], [0, 0, 0]]), np.zeros(3, int)), 9
    )
    test = SplitSummary(WrittenSoFar(), LabelStatistics(4, np.diag([1, 2, 3]), np.zeros(3, int)), None)
    summary = Summary("coco", ["a $\\frac$ b", "犬", "cow"], {"train": train, "test": test})
    pictures = []
    for _ in range(2):
        write_summary_picture(summary, tmp_path)
        pictures.append((tmp_path / "summary.png").read_bytes())
    assert pictures[0] == pictures[1]
    assert read_picture(tmp_path / "summary.png").shape[0] > 300

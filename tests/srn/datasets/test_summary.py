import json
from collections import Counter

import numpy as np
import pytest

from caffe_compat.srn.datasets.label_statistics import LabelStatistics
from caffe_compat.srn.datasets.layout import SplitFiles
from caffe_compat.srn.datasets.progress import Progress
from caffe_compat.srn.datasets.summary import SplitSummary, Summary, summarise, terminal_lines, write_summary


@pytest.fixture
def summary():
    together = np.array([[900, 100, 0], [100, 600, 0], [0, 0, 0]])
    train = SplitSummary(
        Progress(1300, 1200, left_out=Counter(missing=60, corrupt=40), changed=Counter(grey=7)),
        LabelStatistics(1200, together),
        1201,
    )
    test = SplitSummary(Progress(10, 10), LabelStatistics(10, np.diag([1, 2, 3])), None)
    return Summary("coco", ["cat", "dog", "cow"], {"train": train, "test": test})


def test_terminal_lines(summary, tmp_path):
    write_summary(summary, tmp_path)
    assert list(terminal_lines(tmp_path)) == [
        "train: 1,200 images, 1.25 of 3 labels each",
        "  not as many as the paper's authors had (1,201)",
        "  left out: 40 corrupt, 60 missing (why: train_report.tsv)",
        "  changed: 7 grey (why: train_report.tsv)",
        "  labels that no image has: cow",
        "test: 10 images, 0.60 of 3 labels each",
    ]


def test_json(summary, tmp_path):
    write_summary(summary, tmp_path)
    split = json.loads((tmp_path / "summary.json").read_text())["splits"]["train"]
    assert split["label counts"] == {"cat": 900, "dog": 600, "cow": 0}
    assert split["left out"] == {"missing": 60, "corrupt": 40}


def test_as_many_as_published(tmp_path):
    files = SplitFiles(tmp_path, "train")
    files.labels.write_text("1 0\n1 1\n")
    split = summarise(files, Progress(kept=2), 2, 2)
    write_summary(Summary("coco", ["a", "b"], {"train": split}), tmp_path)
    assert list(terminal_lines(tmp_path))[1] == "  as many as the paper's authors had (2)"

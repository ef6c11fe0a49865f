import json
from collections import Counter

import numpy as np
import pytest

from caffe_compat.srn.datasets.label_statistics import LabelStatistics
from caffe_compat.srn.datasets.progress import WrittenSoFar
from caffe_compat.srn.datasets.summary import SplitSummary, Summary, terminal_lines, write_summary


@pytest.fixture
def summary():
    together = np.array([[900, 100, 0], [100, 600, 0], [0, 0, 0]])
    train = SplitSummary(
        WrittenSoFar(1300, 1200, left_out=Counter(missing=60, corrupt=40), changed=Counter(grey=7)),
        LabelStatistics(1200, together, np.array([0, 2, 3]), unlabelled=40),
        1201,
        side=256,
    )
    test = SplitSummary(WrittenSoFar(10, 10), LabelStatistics(10, np.diag([1, 2, 3]), np.zeros(3, int)), None)
    return Summary("coco", ["cat", "dog", "cow"], {"train": train, "test": test}, notes=["-1 means unknown"])


def test_terminal_lines(summary, tmp_path):
    write_summary(summary, tmp_path)
    assert list(terminal_lines(tmp_path)) == [
        "note: -1 means unknown",
        "labels: cat, dog, cow (3)",
        "train: 1,200 images, 1.25 of 3 labels each",
        "  not as many as the paper's authors had (1,201)",
        "  left out: 40 corrupt, 60 missing (why: train_report.tsv)",
        "  changed: 7 grey (why: train_report.tsv)",
        "  without labels: 40 (which: train_unlabelled.txt)",
        "  unknown labels: 5, of 2 classes",
        "  labels that no image has: cow",
        "test: 10 images, 0.60 of 3 labels each",
    ]


def test_json(summary, tmp_path):
    write_summary(summary, tmp_path)
    split = json.loads((tmp_path / "summary.json").read_text())["splits"]["train"]
    assert split["label counts"] == {"cat": 900, "dog": 600, "cow": 0}
    assert split["left out"] == {"missing": 60, "corrupt": 40}


def test_many_labels_are_shown_in_part(tmp_path):
    names = [f"label{number}" for number in range(90)]
    split = SplitSummary(WrittenSoFar(kept=2), LabelStatistics(2, np.eye(90, dtype=int), np.zeros(90, int)), None)
    write_summary(Summary("own", names, {"train": split}), tmp_path)
    assert next(terminal_lines(tmp_path)) == f"labels: {', '.join(names)[:300]} ... (90)"


def test_what_the_generator_reads(summary, tmp_path):
    write_summary(summary, tmp_path)
    content = json.loads((tmp_path / "summary.json").read_text())
    assert (content["labels"], content["stored"], content["unknown labels"]) == (3, ["lmdb"], False)
    assert [split["side"] for split in content["splits"].values()] == [256, 0]


def test_as_many_as_published(tmp_path):
    split = SplitSummary(WrittenSoFar(kept=2), LabelStatistics(2, np.diag([1, 2]), np.zeros(2, int)), 2)
    write_summary(Summary("coco", ["a", "b"], {"train": split}), tmp_path)
    assert list(terminal_lines(tmp_path))[2] == "  as many as the paper's authors had (2)"

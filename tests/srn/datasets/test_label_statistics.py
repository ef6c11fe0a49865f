import numpy as np

from caffe_compat.srn.datasets import label_statistics
from caffe_compat.srn.datasets.label_statistics import count_labels


def test_counts_are_those_of_loops(tmp_path, monkeypatch):
    monkeypatch.setattr(label_statistics, "_LINES", 4)  # so that there are several blocks
    rows = np.random.default_rng(1).integers(-1, 2, (11, 5))
    path = tmp_path / "labels.txt"
    path.write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))

    statistics = count_labels(path, 5, unknown_code=-1)

    together = [[sum(row[i] == row[j] == 1 for row in rows) for j in range(5)] for i in range(5)]
    np.testing.assert_array_equal(statistics.together, together)
    np.testing.assert_array_equal(statistics.counts, (rows == 1).sum(axis=0))
    np.testing.assert_array_equal(statistics.unknown, (rows == -1).sum(axis=0))
    np.testing.assert_array_equal(count_labels(path, 5, unknown_code=0).unknown, (rows == 0).sum(axis=0))
    np.testing.assert_array_equal(count_labels(path, 5).unknown, np.zeros(5))
    assert statistics.images == 11
    assert statistics.unlabelled == sum(1 not in row for row in rows)
    assert statistics.labels_per_image == (rows == 1).sum() / 11
    np.testing.assert_allclose(statistics.conditional[2], np.divide(together[2], together[2][2]))


def test_labels_that_no_image_has(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("0 1\n-1 1\n")
    np.testing.assert_array_equal(count_labels(path, 2).conditional, [[0, 0], [0, 1]])

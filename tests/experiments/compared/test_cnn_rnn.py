"""The paths of labels that CNN-RNN learns from."""

import numpy as np

from caffe_compat.data.sources.datums import parse_datum
from caffe_compat.data.sources.lmdb import Lmdb
from caffe_compat.experiments.compared import cnn_rnn

LABELS = np.array([[0, 1, 1, 0], [1, 1, 1, 0], [0, 0, 1, -1], [0, 0, 0, 0]], np.int8)


def test_the_most_frequent_label_comes_first():
    assert cnn_rnn.frequency_order(LABELS).tolist() == [2, 1, 0, 3]


def test_paths_hold_tokens_an_end_and_padding():
    paths = cnn_rnn.paths_of(LABELS, cnn_rnn.frequency_order(LABELS), steps=5)
    assert paths.tolist() == [[3, 2, 0, -1, -1], [3, 2, 1, 0, -1], [3, 0, -1, -1, -1], [0, -1, -1, -1, -1]]


def test_databases_of_all_splits_are_in_step_with_the_images(tmp_path):
    for split, count in (("train", 4), ("test", 2)):
        (tmp_path / f"{split}_labels.txt").write_text("".join(" ".join(map(str, row)) + "\n" for row in LABELS[:count]))
        (tmp_path / f"{split}_imglist.txt").write_text("".join(f"{split}/{i}.png\n" for i in range(count)))
    cnn_rnn.write_path_databases(tmp_path)
    cnn_rnn.write_path_databases(tmp_path)  # those that exist stay
    assert cnn_rnn.path_steps(tmp_path) == 4
    records = [Lmdb(str(tmp_path / "test_path_lmdb"), "the test").record(ordinal) for ordinal in range(2)]
    assert [record.key for record in records] == [b"00000000_test/0.png", b"00000001_test/1.png"]
    datums = [parse_datum(record.value, "the test") for record in records]
    assert [(one.channels, one.height, one.width) for one in datums] == [(4, 1, 1)] * 2
    # The order is that of the training split: label 2, which three images have, then label 1.
    assert [list(one.float_data) for one in datums] == [[3, 2, 0, -1], [3, 2, 1, 0]]

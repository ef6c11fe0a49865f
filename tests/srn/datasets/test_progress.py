from collections import Counter

from caffe_compat.srn.datasets.progress import WrittenSoFar


def test_it_comes_back_as_it_was(tmp_path):
    path = tmp_path / "train.json"
    progress = WrittenSoFar(12, 9, "ab", {"list.txt": 7}, Counter(missing=3), Counter(grey=2, alpha=1), complete=True)
    progress.save(path)
    loaded = WrittenSoFar.load(path)
    assert loaded == progress
    loaded.left_out.update(["missing"])
    assert loaded.left_out == {"missing": 4}


def test_without_a_file_it_is_the_beginning(tmp_path):
    assert WrittenSoFar.load(tmp_path / "train.json") == WrittenSoFar()

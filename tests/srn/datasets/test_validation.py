import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.samples import DatasetSource, Sample, Samples
from caffe_compat.srn.datasets.validation import cut_validation, stratified


def source_of(rows, paths=None, **splits):
    paths = paths or [f"{number}.jpg" for number in range(len(rows))]
    samples = [
        Sample(f"{n}.jpg", path, np.array(row, np.int8)) for n, (row, path) in enumerate(zip(rows, paths, strict=True))
    ]
    return DatasetSource("own", ["a", "b"], {"train": lambda: Samples(samples, lambda s: s), **splits})


@pytest.mark.parametrize("share", [0.1, 0.25])
def test_every_label_keeps_its_share(share):
    random = np.random.default_rng(3)
    labels = (random.random((1000, 6)) < [0.5, 0.3, 0.1, 0.05, 0.02, 0.2]).astype(np.int64)
    chosen = stratified(labels, share, np.random.default_rng(7))
    assert abs(chosen.sum() - 1000 * share) <= 5
    np.testing.assert_allclose(labels[chosen].sum(axis=0), share * labels.sum(axis=0), atol=2)
    by_chance = random.permutation(1000)[: int(1000 * share)]
    far = [abs(labels[rows].sum(axis=0) - share * labels.sum(axis=0)).sum() for rows in (chosen, by_chance)]
    assert far[0] < far[1]


def test_the_seed_decides():
    labels = np.eye(8, dtype=np.int64).repeat(5, axis=0)
    one, same, other = (stratified(labels, 0.2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
    assert labels[one].sum(axis=0).tolist() == [1] * 8


def test_splits_share_nothing_and_lose_nothing():
    cut = cut_validation(source_of([[1, 0], [0, 1]] * 10, test=lambda: None), 0.2, seed=4)
    assert list(cut.splits) == ["train", "val", "test"]
    names = {split: [sample.name for sample in cut.splits[split]()] for split in ("train", "val")}
    assert len(names["train"]) == len(cut.splits["train"]()) == 16
    assert sorted(names["train"] + names["val"]) == sorted(f"{number}.jpg" for number in range(20))
    assert cut.notes == ["val: 20% of the training split, stratified by label, seed 4"]
    assert cut.options == {"validation": 0.2, "validation_seed": 4}


def test_samples_of_one_file_stay_together():
    paths = [f"{number // 4}.jpg" for number in range(40)]
    cut = cut_validation(source_of([[1, 0], [0, 1], [1, 1], [0, 0]] * 10, paths), 0.3, seed=0)
    split_of = [{sample.path for sample in cut.splits[split]()} for split in ("train", "val")]
    assert split_of[0].isdisjoint(split_of[1])
    assert len(split_of[1]) == 3


def test_errors():
    with pytest.raises(
        DataError, match=r"^own: expected a training split and no validation split .* found train, val$"
    ):
        cut_validation(source_of([[1, 0]], val=lambda: None), 0.5, 0)
    with pytest.raises(
        DataError, match=r"^own: expected samples for training and for validation, found 1 samples in a"
    ):
        cut_validation(source_of([[1, 0]]), 0.5, 0)

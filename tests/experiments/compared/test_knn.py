"""K nearest neighbours against a loop over all training images."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from caffe_compat.experiments.arms import Arm
from caffe_compat.experiments.compared import knn
from caffe_compat.experiments.runs import Run


def images(count, seed):
    """Features (count, 6) and labels (count, 4) that depend on them."""
    random = np.random.default_rng(seed)
    features = random.standard_normal((count, 6)).astype(np.float32)
    return features, (features[:, :4] + 0.5 * random.standard_normal((count, 4)) > 0.4).astype(np.int8)


def by_loops(train, present, test, count):
    """For each test image the log odds of its nearest training images' labels, by cosine similarity."""
    scores = np.zeros((len(test), present.shape[1]))
    for row, feature in enumerate(test):
        cosines = [feature @ other / np.linalg.norm(feature) / np.linalg.norm(other) for other in train]
        nearest = np.argsort(cosines)[::-1][:count]
        for label in range(present.shape[1]):
            votes = sum(present[one, label] for one in nearest)
            scores[row, label] = np.log((votes + 0.5) / (len(nearest) - votes + 0.5))
    return scores


@pytest.mark.parametrize("count", [5, 20])
def test_scores_are_those_of_the_loop(count):
    (train, labels), (test, _) = images(90, 1), images(7, 2)
    search = NearestNeighbors().fit(normalize(train))
    neighbours = knn.labels_of_nearest(search, labels == 1, test)
    assert neighbours.shape == (7, 80, 4)
    assert np.allclose(knn.log_odds(neighbours, count), by_loops(train, labels == 1, test, count))


def test_unknown_labels_are_no_votes_and_few_images_are_enough():
    features, labels = images(3, 3)
    labels[:] = [[1, 0, 2, -1]] * 3
    neighbours = knn.labels_of_nearest(NearestNeighbors().fit(normalize(features)), labels == 1, features)
    scores = knn.log_odds(neighbours, 5)
    assert np.allclose(scores, [[np.log(7), -np.log(7), -np.log(7), -np.log(7)]] * 3)


@pytest.mark.parametrize("validates", [True, False])
def test_without_a_validation_split_training_images_score_each_other(tmp_path, monkeypatch, validates):
    """Twelve groups of five like images: with more than four neighbours besides itself others contradict."""
    features = {"train": np.repeat(np.eye(12, dtype=np.float32), 5, axis=0)}
    labels = {"train": np.repeat(np.arange(12) % 2, 5)[:, None]}
    features |= {split: features["train"][::5] for split in ("val", "test")}
    labels |= {"val": labels["train"][::5]}
    (tmp_path / "data").mkdir()
    for split in ("train", *["val"] * validates):
        np.savetxt(tmp_path / "data" / f"{split}_labels.txt", labels[split], fmt="%d")
    chosen = []
    best = knn.best_count
    monkeypatch.setattr(knn, "pool5", lambda run, split: features[split])

    def remember(neighbours, labels):
        chosen.append((neighbours, labels))
        return best(neighbours, labels)

    monkeypatch.setattr(knn, "best_count", remember)
    scores = knn.knn_scores(Run("knn", Arm("KNN", "resnet101", (), ()), tmp_path, 0), "test")
    assert ((scores > 0)[:, 0] == (labels["val"] == 1)[:, 0]).all()
    ((neighbours, against),) = chosen
    assert len(neighbours) == len(against) == (12 if validates else 60)
    assert neighbours.shape[1] == 60 - (not validates)
    own = neighbours[:, : 5 - (not validates), 0]
    assert (own == (against == 1)).all()


def test_validation_chooses_the_number_of_neighbours():
    """The nearest five know the label, and those further away contradict them."""
    labels = np.array([[1], [0]] * 6, np.int8)
    neighbours = np.zeros((12, 80, 1), bool)
    neighbours[labels[:, 0] == 1, :5] = True
    neighbours[labels[:, 0] == 0, 5:] = True
    assert knn.best_count(neighbours, labels) == 5

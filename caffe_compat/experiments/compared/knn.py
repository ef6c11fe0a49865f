"""K nearest neighbours on the pool5 features of a trained ResNet.

Chua et al., "NUS-WIDE: a real-world web image database from National University of Singapore" (CIVR 2009), section 5:
an image gets the tags of the training images that look most alike. Their features were made by hand (colour, edges,
texture, visual words). Here they are those of the net that the ResNet-101 row trains, scaled to length 1.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from caffe_compat.experiments.runs import BATCH_SIZE, Run
from caffe_compat.srn.datasets.layout import image_path, read_image_list
from caffe_compat.srn.metrics.datasets import DATASETS
from caffe_compat.srn.metrics.measurement import measure
from caffe_compat.srn.metrics.text_matrices import read_labels
from caffe_compat.srn.prediction.predictor import Predictor

#: Numbers of neighbours among which the validation split chooses.
NEIGHBOURS = (5, 10, 20, 40, 80)
FEATURES = "pool5"

Features = NDArray[np.float32]
Neighbours = NDArray[np.bool_]


def knn_scores(run: Run, split: str) -> NDArray[np.float64]:
    """Scores (images, labels) of a split; above 0 where more than half of the neighbours have the label.

    The number of neighbours is the one with the highest mAP on the validation split. Where the data have none, each
    training image is scored by all others.
    """
    train, labels = pool5(run, "train"), read_labels(run.files("train").labels)
    search, present = NearestNeighbors().fit(normalize(train)), labels == 1
    if run.files("val").labels.exists():
        chosen_on, labels = labels_of_nearest(search, present, pool5(run, "val")), read_labels(run.files("val").labels)
    else:
        chosen_on = labels_of_nearest(search, present, train)[:, 1:]  # the nearest image is the image itself
    return log_odds(labels_of_nearest(search, present, pool5(run, split)), best_count(chosen_on, labels))


def labels_of_nearest(search: NearestNeighbors, present: Neighbours, features: Features) -> Neighbours:
    """Whether each label is present in each neighbour (images, neighbours, labels), the nearest first."""
    most = min(NEIGHBOURS[-1], len(present))
    nearest: NDArray[np.int64] = search.kneighbors(normalize(features), n_neighbors=most, return_distance=False)
    return np.asarray(present[nearest])


def log_odds(neighbours: Neighbours, count: int) -> NDArray[np.float64]:
    """The log odds (images, labels) of a label among the nearest `count`; half a vote is added to each side."""
    voters = neighbours[:, :count]
    votes = voters.sum(1)
    return np.asarray(np.log((votes + 0.5) / (voters.shape[1] - votes + 0.5)))


def best_count(neighbours: Neighbours, labels: NDArray[np.int8]) -> int:
    """The number of neighbours with the highest mAP; the first where several are equal."""
    rules = DATASETS["coco"]
    return max(NEIGHBOURS, key=lambda count: measure("KNN", labels, log_odds(neighbours, count), rules).figures["mAP"])


def pool5(run: Run, split: str) -> Features:
    """The features (images, channels) of all images of a split, before the classifier."""
    files = run.files(split)
    paths = [image_path(f"{files.images}/", image.name) for image in read_image_list(files.image_list)]
    return Predictor(str(run.deploy_net), str(run.weights), BATCH_SIZE, FEATURES, run.gpus).predict(paths)

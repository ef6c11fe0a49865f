"""CNN-RNN: the paths of labels that it learns from, and its scores by beam search.

Wang et al., "CNN-RNN: a unified framework for multi-label image classification" (CVPR 2016).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.lmdb_writer import LmdbWriter
from caffe_compat.data.sources.datums import array_to_datum, record_key
from caffe_compat.experiments.runs import BATCH_SIZE, Run
from caffe_compat.srn.datasets.layout import SPLITS, SplitFiles, image_path, read_image_list
from caffe_compat.srn.datasets.new_folder import new_folder
from caffe_compat.srn.metrics.text_matrices import read_labels
from caffe_compat.srn.prediction.label_paths import IMAGE_BLOB, PathNet, beam_scores
from caffe_compat.srn.prediction.predictor import Predictor
from prototxt_gen.label_paths import AFTER_END

BEAM = 5


def path_database(data: Path, split: str) -> Path:
    """The LMDB of a split's paths of labels, in step with its images."""
    return data / f"{split}_path_lmdb"


def path_steps(data: Path) -> int:
    """The steps of the longest path in all splits of a data folder, with the end."""
    return 1 + max(int((read_labels(files.labels) == 1).sum(1).max()) for files in _splits(data))


def write_path_databases(data: Path) -> None:
    """Writes the paths of all splits: (steps, 1, 1) tokens, each label i as i + 1, 0 for the end, and -1 after it.

    Labels come in the order of their frequency in the training split, the most frequent first. Databases that exist
    are left as they are.
    """
    order = frequency_order(read_labels(SplitFiles(data, "train").labels))
    steps = path_steps(data)
    for files in _splits(data):
        if path_database(data, files.split).exists():
            continue
        paths = paths_of(read_labels(files.labels), order, steps)
        with new_folder(path_database(data, files.split)) as folder, LmdbWriter(str(folder)) as database:
            for ordinal, (image, path) in enumerate(zip(read_image_list(files.image_list), paths, strict=True)):
                database.put(record_key(ordinal, image.name), array_to_datum(path[:, None, None]))


def frequency_order(labels: NDArray[np.int8]) -> NDArray[np.int64]:
    """The labels from the most to the least frequent; equal ones in their own order."""
    return np.argsort(-(labels == 1).sum(0), kind="stable")


def paths_of(labels: NDArray[np.int8], order: NDArray[np.int64], steps: int) -> NDArray[np.float32]:
    """The tokens (images, steps) of the present labels in the given order."""
    paths = np.full((len(labels), steps), AFTER_END, np.float32)
    for row, present in zip(paths, labels == 1, strict=True):
        tokens = order[present[order]] + 1
        row[: len(tokens)] = tokens
        row[len(tokens)] = 0
    return paths


def cnn_rnn_scores(run: Run, split: str) -> NDArray[np.float64]:
    """Scores (images, labels) of a split, by a beam of BEAM paths for each image."""
    files = run.files(split)
    paths = [image_path(f"{files.images}/", image.name) for image in read_image_list(files.image_list)]
    images = Predictor(str(run.deploy_net), str(run.weights), BATCH_SIZE, IMAGE_BLOB, run.gpus).predict(paths)
    net = PathNet.beside(str(run.deploy_net), str(run.weights))
    return beam_scores(images, net, BEAM, path_steps(run.dataset / "data") - 1)


def _splits(data: Path) -> list[SplitFiles]:
    return [files for files in (SplitFiles(data, split) for split in SPLITS) if files.labels.exists()]

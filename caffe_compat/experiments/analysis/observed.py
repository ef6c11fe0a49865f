"""Runs a trained SRN over a split and keeps what the figures show: maps, scores and the neurons of "conv4"."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caffe_compat.experiments.runs import BATCH_SIZE, Run
from caffe_compat.net.build import load_net
from caffe_compat.net.net import Net
from caffe_compat.net.settings import Surroundings
from caffe_compat.srn.datasets.layout import class_names_file, image_path, read_image_list
from caffe_compat.srn.metrics.text_matrices import read_labels
from caffe_compat.srn.prediction.released_input import net_input

Array = NDArray[np.float32]

NEURONS, ATTENTION, WEIGHTED = "srn_conv4", "att_map", "srn_weighted"
SCORES = ("y", "y_cls", "y_att", "y_sr")


@dataclass(frozen=True)
class Observed:
    """All images of a split: N images, C labels, maps of H x W places, M neurons.

    `present` is (N, C); `attention` A and `weighted` U are (N, C, H, W); `neurons` (N, M) are after their ReLU; each of
    `scores` is (N, C).
    """

    names: Sequence[str]
    classes: Sequence[str]
    present: NDArray[np.bool_]
    attention: Array
    weighted: Array
    neurons: Array
    scores: dict[str, Array]


def observe(run: Run, split: str = "test") -> Observed:
    """What a trained run of ResNet-SRN computes for the images of a split."""
    files = run.files(split)
    names = [image.name for image in read_image_list(files.image_list)]
    surroundings = Surroundings(allow_python_layers=run.arm.runs_python)
    net = load_net(str(run.deploy_net), "TEST", weights=str(run.weights), surroundings=surroundings)
    paths = [image_path(f"{files.images}/", name) for name in names]
    batches = [_forward(net, paths[start : start + BATCH_SIZE]) for start in range(0, len(paths), BATCH_SIZE)]
    whole = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return Observed(
        names=names,
        classes=class_names_file(files.folder).read_text(encoding="utf-8").splitlines(),
        present=read_labels(files.labels) == 1,
        attention=whole[ATTENTION],
        weighted=whole[WEIGHTED],
        neurons=whole[NEURONS].reshape(len(names), -1),
        scores={name: whole[name] for name in SCORES},
    )


def _forward(net: Net, paths: Sequence[str]) -> dict[str, Array]:
    data = net.blobs[net.inputs[0]]
    _, channels, height, width = data.shape
    data.reshape(len(paths), channels, height, width)
    net.reshape()
    data.data[...] = np.stack([net_input(path, height, width) for path in paths])
    net.forward_range(0, len(net.steps) - 1)
    return {name: net.blobs[name].data.copy() for name in (ATTENTION, WEIGHTED, NEURONS, *SCORES)}

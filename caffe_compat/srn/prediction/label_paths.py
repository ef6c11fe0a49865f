"""Finds the labels of an image as a path, by beam search with the nets of `generate --model cnn_rnn`.

Wang et al., "CNN-RNN: a unified framework for multi-label image classification" (CVPR 2016), section 3.4: the path with
the largest product of probabilities. Here no label comes twice in a path, and `label_scores` turns paths into scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import DataError
from caffe_compat.net.build import load_net
from caffe_compat.net.net import Net
from caffe_compat.srn.prediction.released_input import run_on_image

Values = NDArray[np.float32]
#: The blob of the first net that holds the image in the space of the labels.
IMAGE_BLOB = "image_embedding"
#: Token 0 is read at the start of a path and predicted at its end; label i is token i + 1.
START = END = 0
#: Probabilities in scores stay this far from 0 and 1.
MARGIN = 1e-6


class NextLabels(NamedTuple):
    """Probabilities of the next token (paths, labels + 1), and the LSTM's states (paths, hidden) after the last."""

    probabilities: Values
    hidden: Values
    cell: Values


class NextLabel(Protocol):
    """A function that steps along several paths at once: last tokens (paths,), None at the start, and states."""

    def __call__(self, tokens: NDArray[np.int64], states: tuple[Values, Values] | None, /) -> NextLabels: ...


@dataclass(frozen=True)
class LabelPath:
    """Labels in their order, the probability of each and of the end, and of the whole path.

    `highest` (labels,) is the largest probability that each label had at any step of the path.
    """

    labels: tuple[int, ...]
    probabilities: tuple[float, ...]
    highest: NDArray[np.float64]
    ended: bool = False

    @property
    def probability(self) -> float:
        """The product of the probabilities of all steps."""
        return float(np.prod(self.probabilities))


class PathNet:
    """The net CUSTOM_cnn_rnn_path_test.prototxt, which predicts the next of its `labels` labels for each path."""

    def __init__(self, prototxt: str, weights: str) -> None:
        self._net = load_net(prototxt, "TEST", weights=weights)
        self.labels = self._net.blobs["probabilities"].shape[-1] - 1

    @classmethod
    def beside(cls, prototxt: str, weights: str) -> "PathNet":
        """The net of label paths in the folder of PROTOTXT, the deploy net of a CNN-RNN; DataError without it."""
        path = path_prototxt(prototxt)
        if not Path(path).exists():
            raise DataError(f"{path}: expected the net of label paths beside {prototxt}, found no such file; "
                            "generate both with --model cnn_rnn")  # fmt: skip
        return cls(path, weights)

    def next_label(self, image: Values) -> NextLabel:
        """The step function for an image, which is its blob image_embedding (embedding,)."""

        def step(tokens: NDArray[np.int64], states: tuple[Values, Values] | None) -> NextLabels:
            return self._step(image, tokens, states)

        return step

    def _step(self, image: Values, tokens: NDArray[np.int64], states: tuple[Values, Values] | None) -> NextLabels:
        blobs, count = self._net.blobs, len(tokens)
        if blobs["token"].shape[1] != count:
            for name in self._net.inputs:
                first, second, *rest = blobs[name].shape
                blobs[name].reshape(*((count, second) if name == "image_embedding" else (first, count)), *rest)
            self._net.reshape()
        blobs["image_embedding"].data[...] = image
        blobs["token"].data[...] = tokens
        blobs["path_mark"].data[...] = states is not None
        for name, state in zip(("hidden", "cell"), states or (0.0, 0.0), strict=True):
            blobs[name].data[...] = state
        self._net.forward_range(0, len(self._net.steps) - 1)
        return NextLabels(*(blobs[name].data[0].copy() for name in ("probabilities", "hidden_next", "cell_next")))


def path_prototxt(prototxt: str) -> str:
    """Returns the file of the second net, in the folder of the first net, CUSTOM_cnn_rnn_test.prototxt."""
    return f"{prototxt.removesuffix('_test.prototxt')}_path_test.prototxt"


def image_embedding(net: Net, image: str) -> Values:
    """Returns the image's place (embedding,) in the space of the labels, computed by the first net."""
    run_on_image(net, image)
    return np.array(net.blobs[IMAGE_BLOB].data[0], np.float32)


def search_paths(next_label: NextLabel, width: int, longest: int) -> list[LabelPath]:
    """Returns the most probable paths that a beam of `width` finds, at most `width` paths, the best first.

    A path that has `longest` labels ends there. The search stops where no open path is more probable than the last of
    `width` ended ones, because probabilities only fall.
    """
    ended: list[LabelPath] = []
    predicted = next_label(np.array([START]), None)
    open_paths = [LabelPath((), (), np.zeros(predicted.probabilities.shape[1] - 1))]
    while True:
        grown = sorted(_grown(open_paths, predicted.probabilities), key=lambda one: -one[1].probability)[:width]
        ended += [path for _, path in grown if path.ended or len(path.labels) == longest]
        ended = sorted(ended, key=lambda path: -path.probability)[:width]
        kept = [(row, path) for row, path in grown if not path.ended and len(path.labels) < longest]
        if not kept or (len(ended) == width and kept[0][1].probability <= ended[-1].probability):
            return ended
        rows, open_paths = [row for row, _ in kept], [path for _, path in kept]
        tokens = np.array([path.labels[-1] + 1 for path in open_paths])
        predicted = next_label(tokens, (predicted.hidden[rows], predicted.cell[rows]))


def _grown(paths: Sequence[LabelPath], probabilities: Values) -> list[tuple[int, LabelPath]]:
    """Each path with each next token, and its number among the paths; a label that the path has is left out."""
    grown = []
    for row, path in enumerate(paths):
        of_labels = probabilities[row, 1:].astype(np.float64)
        highest = np.maximum(path.highest, of_labels)
        ends = LabelPath(path.labels, (*path.probabilities, float(probabilities[row, END])), highest, ended=True)
        grown.append((row, ends))
        for label in np.setdiff1d(np.arange(len(of_labels)), path.labels).tolist():
            steps = (*path.probabilities, float(of_labels[label]))
            grown.append((row, LabelPath((*path.labels, label), steps, highest)))
    return grown


def beam_scores(images: Values, net: PathNet, width: int, longest: int | None = None) -> NDArray[np.float64]:
    """Scores (images, labels) by a beam of `width` paths for each image.

    `images` (images, embedding) are results of the first net. `longest` limits the labels of a path; None: no limit.
    """
    most = net.labels if longest is None else longest
    return np.stack([label_scores(search_paths(net.next_label(image), width, most)) for image in images])


def label_scores(paths: Sequence[LabelPath]) -> NDArray[np.float64]:
    """The log odds (labels,) that a label is in the image, from its paths and their probabilities.

    Paths are weighted by their share of all paths' probability. In a path, a label counts 1 if the path has it, else
    the largest probability that the label had at a step of the path.
    """
    weights = np.array([path.probability for path in paths])
    weights = weights / weights.sum() if weights.sum() else np.full(len(paths), 1 / len(paths))
    said = np.stack([path.highest for path in paths])
    for row, path in zip(said, paths, strict=True):
        row[list(path.labels)] = 1
    share = np.clip(weights @ said, MARGIN, 1 - MARGIN)
    return np.asarray(np.log(share / (1 - share)))

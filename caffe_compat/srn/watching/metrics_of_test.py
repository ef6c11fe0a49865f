"""mAP, F1-C and F1-O of each test of a solver, as `evaluate` computes them."""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from caffe_compat.net.net import Net
from caffe_compat.srn.metrics.datasets import DATASETS, Conventions
from caffe_compat.srn.metrics.measurement import Measurement, measure
from caffe_compat.srn.metrics.text_matrices import UNKNOWN
from caffe_compat.srn.watching.label_losses import LabelLoss, find_label_losses

logger = logging.getLogger("caffe_compat")

FIGURES = ("mAP", "F1-C", "F1-O")
_RAW_SCORES = Conventions(scores="logits")


@dataclass(frozen=True)
class Metrics:
    """The figures of one test in 0..1, and AP by class of each loss's scores; NaN where a figure is not defined."""

    figures: dict[str, float]
    ap: dict[str, list[float]]


@dataclass
class MetricsOfTest:
    """Collects scores and labels of one test net's batches; `finish` measures them and starts anew."""

    net: Net
    losses: Sequence[LabelLoss] = ()
    batches: dict[str, list[tuple[Tensor, Tensor]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.losses = find_label_losses(self.net)
        self.restart()

    @property
    def blobs(self) -> list[str]:
        """The blobs whose values the engine must keep."""
        return [name for loss in self.losses for name in (loss.scores, loss.labels)]

    def restart(self) -> None:
        """Forget the batches of a test that was interrupted."""
        self.batches = {loss.layer: [] for loss in self.losses}

    def add_batch(self) -> None:
        """Take the scores and labels of the net's last batch."""
        for loss in self.losses:
            self.batches[loss.layer].append(loss.matrices(self.net))

    def finish(self) -> Metrics:
        """Measure all batches since the last call."""
        figures: dict[str, float] = {}
        ap: dict[str, list[float]] = {}
        for loss in self.losses:
            prefix = f"{loss.name}:" if len(self.losses) > 1 else ""
            measurement = _measure(loss, self.batches[loss.layer])
            figures |= {prefix + name: measurement.figures[name] if measurement else math.nan for name in FIGURES}
            ap[loss.name] = measurement.ap.tolist() if measurement else []
        self.restart()
        return Metrics(figures, ap)


def log_metrics(metrics: Metrics) -> None:
    """One line for each figure: `    Test net metric #0: mAP = 0.7123`. Caffe's own lines say `output`."""
    for line in _lines(metrics):
        logger.info("%s", line)


def _lines(metrics: Metrics) -> Iterator[str]:
    for index, (name, value) in enumerate(metrics.figures.items()):
        yield f"    Test net metric #{index}: {name} = {value:g}"


def _measure(loss: LabelLoss, batches: list[tuple[Tensor, Tensor]]) -> Measurement | None:
    """None where there was no batch, or where a score is NaN."""
    if not batches:
        return None
    scores = torch.cat([batch[0] for batch in batches]).double().numpy()
    targets = torch.cat([batch[1] for batch in batches])
    if np.isnan(scores).any():
        return None
    labels = (targets >= 0.5).to(torch.int8)
    if loss.ignore_label is not None:
        labels[targets.long() == loss.ignore_label] = UNKNOWN
    return measure(loss.name, labels.numpy(), scores, DATASETS["own"], _RAW_SCORES)

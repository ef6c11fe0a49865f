import logging
import math

import numpy as np
import pytest
from sklearn.metrics import f1_score

from caffe_compat.srn.metrics.datasets import DATASETS
from caffe_compat.srn.metrics.measurement import measure
from caffe_compat.srn.watching.metrics_of_test import MetricsOfTest, log_metrics
from tests.srn.watching.multilabel import CLASSES, IMAGES, SECOND_LOSS, make_solver


def batches(net, count, seed=2):
    """Run the net on new data; yields scores and labels of each batch."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        net.blobs["data"].data[...] = generator.normal(size=net.blobs["data"].shape)
        labels = (generator.random((IMAGES, CLASSES)) < 0.5).astype(np.float32)
        net.blobs["label"].data[...] = labels[..., None, None]
        net.forward_range(0, len(net.steps) - 1)
        yield net.blobs["y"].data.copy(), labels


def test_figures_are_those_of_all_batches_together() -> None:
    net = make_solver().test_nets[0]
    metrics = MetricsOfTest(net)
    assert metrics.blobs == ["y", "label"]
    for _ in range(2):  # `finish` starts anew
        seen = []
        for batch in batches(net, 4):
            metrics.add_batch()
            seen.append(batch)
        scores, labels = (np.concatenate(parts) for parts in zip(*seen, strict=True))
        found = metrics.finish()
        want = measure("y", labels.astype(np.int8), scores.astype(float), DATASETS["coco"])
        assert found.figures == {name: pytest.approx(want.figures[name]) for name in ("mAP", "F1-C", "F1-O")}
        assert found.ap == {"y": pytest.approx(want.ap.tolist())}
        assert found.figures["F1-C"] == pytest.approx(f1_score(labels, scores > 0, average="macro"))
        assert found.figures["F1-O"] == pytest.approx(f1_score(labels, scores > 0, average="micro"))


def test_several_losses_have_their_scores_name_in_front() -> None:
    net = make_solver(more=SECOND_LOSS).test_nets[0]
    metrics = MetricsOfTest(net)
    list(map(lambda batch: metrics.add_batch(), batches(net, 3)))
    found = metrics.finish()
    assert list(found.figures) == ["y:mAP", "y:F1-C", "y:F1-O", "z:mAP", "z:F1-C", "z:F1-O"]
    assert found.figures["y:mAP"] != found.figures["z:mAP"]


def test_unknown_labels_are_left_out() -> None:
    net = make_solver(
        more=SECOND_LOSS.replace('top: "loss_z"', 'top: "loss_z" loss_param { ignore_label: 7 }')
    ).test_nets[0]
    metrics = MetricsOfTest(net)
    for _ in batches(net, 3):
        net.blobs["label"].data[::2] = 7
        net.forward_range(0, len(net.steps) - 1)
        metrics.add_batch()
    found, kept = metrics.finish(), []
    for scores, labels in batches(net, 3):
        kept.append((-2 * scores[1::2], labels[1::2]))
    scores, labels = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    want = measure("z", labels.astype(np.int8), scores.astype(float), DATASETS["own"])
    assert found.figures["z:mAP"] == pytest.approx(want.figures["mAP"])
    assert found.figures["z:F1-O"] == pytest.approx(want.figures["F1-O"])


def test_scores_that_are_nan_have_no_figures() -> None:
    net = make_solver().test_nets[0]
    metrics = MetricsOfTest(net)
    for _ in batches(net, 1):
        net.blobs["y"].data[1, 1] = np.nan
        metrics.add_batch()
    found = metrics.finish()
    assert all(math.isnan(value) for value in found.figures.values())
    assert found.ap == {"y": []}
    assert math.isnan(metrics.finish().figures["mAP"])  # no batch at all


def test_log_lines_are_not_taken_for_caffes_own(caplog: pytest.LogCaptureFixture) -> None:
    net = make_solver().test_nets[0]
    metrics = MetricsOfTest(net)
    list(map(lambda batch: metrics.add_batch(), batches(net, 2)))
    found = metrics.finish()
    with caplog.at_level(logging.INFO, "caffe_compat"):
        log_metrics(found)
    assert caplog.messages[0] == f"    Test net metric #0: mAP = {found.figures['mAP']:g}"
    assert len(caplog.messages) == 3

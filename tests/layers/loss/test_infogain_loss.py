"""InfogainLoss against plain loops; the matrix from a bottom and from a file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.proto import caffe_pb2
from tests.layers.harness import (
    Array,
    assert_close,
    assert_every_field_matters,
    build,
    check_layer,
    gradient,
    layer_parameter,
    random_bottom,
    run,
)
from tests.layers.loss.oracles import predictions, softmax

TEXT = """name: 'i' type: 'InfogainLoss' infogain_loss_param { axis: 2 }
          loss_param { ignore_label: 1 normalization: BATCH_SIZE }"""
SCORES, GAIN = random_bottom(2, 4, 3), random_bottom(3, 3, seed=1).abs()
LABELS = torch.tensor([[0.0, 1, 2, 1], [2, 0, 1, 2]], dtype=torch.float64)


def oracle(scores: Array, labels: Array, gain: Array) -> tuple[Array, Array]:
    probability = softmax(scores, 2)
    loss = 0.0
    for row, label in predictions(probability, labels, 2, 1):
        for index, p in enumerate(row):
            loss -= gain.reshape(3, 3)[label, index] * np.log(max(p, 1e-20))
    return np.array(loss / 8), probability


def test_weighs_classes_with_the_matrix_of_bottom_2() -> None:
    bottoms = [SCORES, LABELS, GAIN.reshape(1, 1, 3, 3)]
    check_layer(TEXT, bottoms, lambda _, *arrays: oracle(*arrays), tops=2)
    assert_every_field_matters(TEXT, SCORES, LABELS, GAIN)


def test_reads_the_matrix_from_a_file(tmp_path: Path) -> None:
    blob = caffe_pb2.BlobProto(num=1, channels=1, height=3, width=3, data=GAIN.flatten().tolist())
    (tmp_path / "gain.binaryproto").write_bytes(blob.SerializeToString())
    text = TEXT.replace("axis: 2", f"axis: 2 source: '{tmp_path}/gain.binaryproto'")
    layer = check_layer(text, [SCORES, LABELS], lambda _, s, t: oracle(s, t, GAIN.numpy().astype(np.float32)), tops=2)
    assert len(layer.blobs) == 0
    assert "infogain" not in layer.state_dict()


def test_backward_does_not_see_the_bound_on_probabilities() -> None:
    scores = torch.tensor([[0.0, 100.0, -100.0]], dtype=torch.float64, requires_grad=True)
    layer = build("type: 'InfogainLoss'", scores, (1,), (3, 3))
    loss = layer(scores, torch.zeros(1), torch.ones(3, 3, dtype=torch.float64))
    loss.backward()
    assert_close(loss, torch.tensor(2 * 20 * np.log(10)))
    assert_close(gradient(scores), 3 * scores.detach().softmax(1) - 1)


def test_softmax_top_has_no_gradient() -> None:
    scores = SCORES.clone().requires_grad_()
    loss, probability = run(build(TEXT, scores, LABELS, GAIN, tops=2), scores, LABELS, GAIN)
    assert loss.requires_grad
    assert not probability.requires_grad


def test_wants_a_matrix_of_the_classes() -> None:
    with pytest.raises(FieldError, match=r"^layer 'i' \(InfogainLoss\): expected the infogain matrix .* found neither"):
        build(layer_parameter(TEXT, 2), SCORES, LABELS)
    with pytest.raises(
        ShapeError, match=r"^layer 'i' \(InfogainLoss\): expected an infogain matrix of 3 x 3 .*\(2, 2\)"
    ):
        build(TEXT, SCORES, LABELS, (2, 2))(SCORES, LABELS, GAIN[:2, :2])


def test_refuses_normalize() -> None:
    text = "name: 'i' type: 'InfogainLoss' loss_param { normalize: true }"
    with pytest.raises(FieldError, match=r"^layer 'i' \(InfogainLoss\): loss_param.normalize is set but Infogain"):
        build(text, SCORES, LABELS, GAIN)

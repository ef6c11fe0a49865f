"""Any number of items runs through a net of a fixed batch."""

import numpy as np
import pytest

from caffe_compat.errors import ShapeError
from caffe_compat.pycaffe.batches import in_batches
from caffe_compat.pycaffe.net import Net

RANDOM = np.random.RandomState(2)


def item_by_item(net: Net, data: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores, gradients = [], []
    for item, slope in zip(data, slopes, strict=True):
        net.blobs["data"].data[...] = 0
        net.blobs["data"].data[0] = item
        scores.append(np.array(net.forward()["scores"][0]))
        net.blobs["scores"].diff[...] = 0
        net.blobs["scores"].diff[0] = slope
        gradients.append(np.array(net.backward()["data"][0]))
    return np.array(scores), np.array(gradients)


@pytest.mark.parametrize("count", [1, 4, 7, 8])
def test_outputs_and_gradients_come_item_by_item(deploy: Net, count: int) -> None:
    data, slopes = RANDOM.randn(count, 3, 6, 6).astype(np.float32), RANDOM.randn(count, 2).astype(np.float32)
    scores, gradients = item_by_item(deploy, data, slopes)
    np.testing.assert_allclose(deploy.forward_all(data=data)["scores"], scores, atol=1e-6)
    values, diffs = deploy.forward_backward_all(blobs=["conv"], diffs=["conv"], data=data, scores=slopes)
    np.testing.assert_allclose(values["scores"], scores, atol=1e-6)
    np.testing.assert_allclose(diffs["data"], gradients, atol=1e-6)
    assert values["conv"].shape == diffs["conv"].shape == (count, 5, 4, 4)


def test_a_direction_without_arrays_runs_on_what_is_there(deploy: Net) -> None:
    deploy.blobs["scores"].diff[...] = 1
    values, diffs = deploy.forward_backward_all(data=RANDOM.randn(6, 3, 6, 6).astype(np.float32))
    assert values["scores"].shape == (6, 2)
    np.testing.assert_allclose(diffs["data"], np.broadcast_to(diffs["data"][:1], (6, 3, 6, 6)), atol=1e-6)


def test_an_output_of_one_number_comes_once_a_batch(net: Net) -> None:
    out = net.forward_all(data=np.zeros((6, 2, 6, 5)), label=np.zeros(6))
    assert out["loss"].shape == (2,)


def test_the_last_batch_is_padded_with_zeros() -> None:
    batches = list(in_batches({"a": np.ones((5, 2)), "b": np.arange(5)}, 3))
    assert batches[1]["a"].tolist() == [[1, 1], [1, 1], [0, 0]]
    assert batches[1]["b"].tolist() == [3, 4, 0]


def test_arrays_must_have_one_length(deploy: Net, net: Net) -> None:
    with pytest.raises(ShapeError, match=r"^expected arrays of one length, by name of blob, got none"):
        deploy.forward_all()
    with pytest.raises(
        ShapeError, match=r"^expected arrays of one length, by name of blob, got {'data': 6, 'label': 5}"
    ):
        net.forward_all(data=np.zeros((6, 2, 6, 5)), label=np.zeros(5))


def test_nets_cut_batches_as_pycaffes_do(deploy: Net) -> None:
    first, last = deploy._batch({"data": np.ones((7, 2)), "label": np.ones(7)})
    assert first["label"].tolist() == [1] * 4
    assert last["data"][:, 1].tolist() == [1, 1, 1, 0]

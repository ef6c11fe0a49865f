"""Every recorded layer and random net: forward, running statistics and backward equal what Caffe computed."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.net.build import load_net
from caffe_compat.net.net import Net
from caffe_compat.net.settings import Surroundings
from caffe_compat.proto.read import read_weights
from tests.recorded.records import case_name, folders, parts_of, relative_error

FORWARD = 3e-5  # float32 sums in another order
BACKWARD = 3e-4


def load(folder: Path) -> Net:
    net = load_net(str(folder / "net.prototxt"), folder.name, Surroundings())
    weights = folder / "weights.caffemodel"
    if weights.exists():
        net.copy_layers(read_weights(weights).layers, str(weights))
    return net


def has_no_recorded_backward(folder: Path) -> bool:
    """The fork's BN uses its formula for batches at TEST, and the two Caffes differ on MVN without variance."""
    text = (folder / "net.prototxt").read_text()
    live_bn = folder.name == "TEST" and text.count('type: "BN"') > text.count("frozen: true")
    return live_bn or ("MVN" in text and "normalize_variance: false" in text)


CASES = folders("layers", "*/*")


@pytest.mark.parametrize("folder", CASES, ids=case_name)
def test_layer(folder: Path) -> None:
    net = load(folder)
    with np.load(folder / "blobs.npz") as file:
        record = dict(file)
    for key in (key for key in record if key.startswith("in/")):
        net.blobs[key[3:]].data[...] = record[key].reshape(net.blobs[key[3:]].shape)
    check_forward(net, record)
    for key in (key for key in record if key.startswith("param_after/")):
        layer, index = parts_of(key)
        assert relative_error(net.params[layer][index].data, record[key]) <= FORWARD, key
    if not has_no_recorded_backward(folder):
        check_backward(net, record, shares_weights="share_weights" in str(folder))


def check_forward(net: Net, record: dict[str, np.ndarray]) -> None:
    tops = {key.split("/", 2)[2]: key for key in record if key.startswith("fwd/") and "/input/" not in key}
    seen = set()
    for index, step in enumerate(net.steps):
        net.forward_range(index, index)
        for top in step.tops:
            name = f"{step.layer.name}/{top}"
            if name in tops:
                assert relative_error(net.blobs[top].data, record[tops[name]]) <= FORWARD, name
                seen.add(name)
    # Other splits and automatic tops may go by other names; nearly all must be found.
    assert len(seen) >= 0.9 * len(tops)


def check_backward(net: Net, record: dict[str, np.ndarray], shares_weights: bool) -> None:
    wanted = [key for key in record if key.startswith(("diff/", "param_diff/")) and np.any(record[key])]
    if not wanted:
        return
    for key in (key for key in record if key.startswith("out_diff/")):
        net.blobs[key[9:]].diff[...] = record[key]
    net.backward_range(len(net.steps) - 1, 0)
    for key in wanted:
        if key.startswith("param_diff/"):
            layer, index = parts_of(key)
            got = net.params[layer][index].diff
            # The fork keeps the gradients of sharers apart; only their sum could be compared.
            assert shares_weights or relative_error(got, record[key]) <= BACKWARD, key
        elif key[5:] in net.blobs and not key[5:].startswith("loss"):
            assert relative_error(net.blobs[key[5:]].diff, record[key]) <= BACKWARD, key


def test_there_are_records() -> None:
    assert len(CASES) > 100

"""Data layers against what both real Caffes gave."""

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from caffe_compat.layers.data.base_data import DataLayer
from caffe_compat.layers.registry import create_layer
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.proto import caffe_pb2
from tests.layers.data.made_layers import GOLDENS

BVLC = sorted((GOLDENS / "bvlc" / "data").glob("*.prototxt"))
FORK = sorted((GOLDENS / "srn_fork" / "augment").glob("*.prototxt"))


def layer_of(path: Path, phase: str) -> DataLayer:
    net = text_format.Parse(path.read_text(), caffe_pb2.NetParameter())
    layer = create_layer(LayerSpec(net.layer[0], phase, random_seed=1))
    assert isinstance(layer, DataLayer)
    return layer


@pytest.mark.parametrize("path", BVLC, ids=lambda path: path.stem)
def test_tops_of_bvlc_caffe(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    record = np.load(path.with_suffix(".npz"))
    layer = layer_of(path, "TEST")
    # Other JPEG decoders differ by one grey level; what is no JPEG is exact.
    tolerance = 1.0 if "imagedata" in path.stem else 0.0
    for number in range(1 + max(int(key.split("/")[0]) for key in record.files)):
        tops = dict(zip(layer.spec.parameter.top, layer(), strict=True))
        for key in (key for key in record.files if key.startswith(f"{number}/")):
            found = tops[key.split("/")[1]].numpy()
            assert found.shape == record[key].shape
            assert np.abs(found - record[key]).max() <= tolerance
    assert [tuple(top.shape) for top in tops.values()] == layer.top_shapes()
    layer.close()


@pytest.mark.parametrize("path", FORK, ids=lambda path: path.stem)
def test_crops_of_the_srn_fork(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    record = np.load(path.with_suffix(".npz"))
    crops = record["crops"].astype(np.float32).reshape(len(record["crops"]), -1)
    layer = layer_of(path, "TRAIN")
    found = np.concatenate([layer()[0].numpy().reshape(50, -1).copy() for _ in range(4)])
    distance = np.stack([np.abs(crops - one).max(axis=1) for one in found])
    assert distance.min(axis=1).max() <= 1.0  # every crop is one that the fork makes, to one grey level
    drawn = np.unique(distance.argmin(axis=1))
    expected = len(crops) * (1 - np.exp(-len(found) / len(crops)))  # of equally likely crops
    assert len(drawn) > 0.7 * expected
    layer.close()

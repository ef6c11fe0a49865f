"""What data layers have in common."""

from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError
from caffe_compat.layers.data.base_data import DataLayer
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.proto import caffe_pb2
from tests.data.made_files import picture, raw_lmdb
from tests.layers.data.made_layers import make_layer, take


@pytest.fixture
def lmdb(tmp_path: Path) -> str:
    return str(raw_lmdb(tmp_path / "db", [picture(6, 7, seed=number) for number in range(5)]))


def text(path: str, batch_size: int = 3, transform: str = "") -> str:
    return (
        f"type: 'Data' data_param {{ source: '{path}' batch_size: {batch_size} backend: LMDB }}"
        f" transform_param {{ {transform} }}"
    )


def test_a_data_layer_without_state() -> None:
    layer = DataLayer(LayerSpec(caffe_pb2.LayerParameter(name="data", type="Data"), "TRAIN"))
    assert layer.state() == {}
    layer.restore({})
    layer.close()
    assert layer.device == torch.device("cpu")
    assert layer.to("meta").device == torch.device("meta")
    assert not layer.state_dict()


def test_without_a_seed_runs_differ_and_states_restore(lmdb: str) -> None:
    first, second = (make_layer(text(lmdb, 5, "crop_size: 3 mirror: true"), seed=None) for _ in range(2))
    assert first.state()["seed"] != second.state()["seed"]
    second.restore(first.state())
    for one, other in zip(take(first, 3), take(second, 3), strict=True):
        assert np.array_equal(one[0], other[0])


def test_one_top_leaves_the_labels_out(lmdb: str) -> None:
    layer = make_layer(text(lmdb), tops=1)
    assert layer.top_shapes() == [(3, 3, 6, 7)]
    assert len(layer()) == 1


def test_the_cpu_uses_its_memory_again(lmdb: str) -> None:
    layer = make_layer(text(lmdb))
    pointers = [layer()[0].data_ptr() for _ in range(40)]
    assert len(set(pointers)) <= 4 + 2  # those read ahead, the one in use, and one that its finder has not used yet


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_images_without_crop_may_differ_between_batches(tmp_path: Path, phase: str) -> None:
    path = raw_lmdb(tmp_path / "db", [picture(6, 7), picture(4, 5)])
    layer = make_layer(text(str(path), 1), phase)
    assert [tops[0].shape for tops in take(layer, 3)] == [(1, 3, 6, 7), (1, 3, 4, 5), (1, 3, 6, 7)]


def test_refuses_empty_batches(lmdb: str) -> None:
    with pytest.raises(FieldError, match=r"^layer 'data' \(Data\): positive batch size required, got 0"):
        make_layer(text(lmdb, 0))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_arithmetic_on_the_gpu(lmdb: str) -> None:
    transform = "crop_size: 4 mirror: true mean_value: 3 scale: 0.5"
    on_cpu, on_gpu = make_layer(text(lmdb, 5, transform)), make_layer(text(lmdb, 5, transform)).cuda()
    for _ in range(3):
        data, labels = on_gpu()
        assert data.is_cuda
        assert torch.equal(data.cpu(), on_cpu()[0])
        assert labels.is_cuda

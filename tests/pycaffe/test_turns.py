"""One net and several threads; and the end of a net."""

import gc
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caffe_compat as caffe
from tests.pycaffe.conftest import DEPLOY, NetFile


def named(name: str, array: NDArray[Any]) -> dict[str, Any]:
    """An input's name and array, as keywords."""
    return {name: array}


def test_threads_never_see_each_others_numbers(net_file: NetFile) -> None:
    net = caffe.Net(net_file(DEPLOY), caffe.TEST)
    (name,) = net.inputs
    random = np.random.RandomState(2)
    inputs = [random.rand(*net.blobs[name].data.shape).astype(np.float32) for _ in range(3)]
    expected = [{key: array.copy() for key, array in net.forward(**named(name, array)).items()} for array in inputs]
    wrong: list[str] = []

    def run(index: int) -> None:
        for _ in range(40):
            found = net.forward(**named(name, inputs[index]))
            wrong.extend(key for key, array in found.items() if not np.array_equal(array, expected[index][key]))

    threads = [threading.Thread(target=run, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_arrays_of_one_thread_stay_live(net_file: NetFile) -> None:
    net = caffe.Net(net_file(DEPLOY), caffe.TEST)
    (name,) = net.inputs
    (output,) = net.forward().values()
    net.blobs[name].data[...] = 1
    net.forward()
    assert output is next(iter(net.forward().values()))


def test_another_threads_run_leaves_arrays_alone(net_file: NetFile) -> None:
    net = caffe.Net(net_file(DEPLOY), caffe.TEST)
    (name,) = net.inputs
    (held,) = net.forward(**named(name, np.ones_like(net.blobs[name].data))).values()
    kept = held.copy()
    other = threading.Thread(target=lambda: net.forward(**named(name, np.full_like(net.blobs[name].data, 9))))
    other.start()
    other.join()
    np.testing.assert_array_equal(held, kept)


NET = """
layer {{ name: "data" type: "HDF5Data" top: "data" hdf5_data_param {{ source: "{source}" batch_size: 2 }} }}
layer {{ name: "silence" type: "Silence" bottom: "data" }}
"""


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of data layers that were closed."""
    from caffe_compat.layers.data.hdf5_data import HDF5Data

    names: list[str] = []
    real = HDF5Data.close

    def close(layer: HDF5Data) -> None:
        names.append(layer.name)
        real(layer)

    monkeypatch.setattr(HDF5Data, "close", close)
    return names


@pytest.fixture
def data_net(net_file: NetFile, tmp_path: Path) -> str:
    import h5py

    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["data"] = np.zeros((4, 3), np.float32)
    (tmp_path / "list.txt").write_text(f"{tmp_path / 'd.h5'}\n")
    return net_file(NET.format(source=tmp_path / "list.txt"))


def test_a_with_block_closes(data_net: str, closed: list[str]) -> None:
    with caffe.Net(data_net, caffe.TEST) as net:
        net.forward()
        assert closed == []
    assert closed == ["data"]
    net.close()
    assert closed == ["data"]


def test_the_last_reference_closes(data_net: str, closed: list[str]) -> None:
    net = caffe.Net(data_net, caffe.TEST)
    net.forward()
    gc.disable()
    try:
        del net
        assert closed == ["data"]
    finally:
        gc.enable()

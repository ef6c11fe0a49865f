"""Nets that are built, run and dropped leave nothing behind."""

import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.data.lmdb_writer import LmdbWriter
from tests.reliability import attack_leaks
from tests.reliability.inputs import DATA

NETS = 20
TEXT = """
layer {{ name: "data" type: "Data" top: "data" top: "label" data_param {{ source: "{}" batch_size: 2 backend: LMDB }} }}
layer {{ name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param {{ num_output: 3 }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }}
"""


@pytest.fixture(name="prototxt")
def made(tmp_path: Path) -> str:
    """A net with a data layer that reads ahead, and its database of three images."""
    with LmdbWriter(str(tmp_path / "records")) as database:
        for label in range(3):
            image = np.full((1, 4, 5), 10 * label, np.uint8)
            database.put(b"%d" % label, caffe.io.array_to_datum(image, label))
    (tmp_path / "net.prototxt").write_text(TEXT.format(tmp_path / "records"))
    return str(tmp_path / "net.prototxt")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files under /proc")
def test_dropped_nets_end_their_threads_and_close_their_files(prototxt: str) -> None:
    def run_and_drop() -> tuple[int, int]:
        net = caffe.Net(prototxt, caffe.TRAIN)
        net.forward()
        net.backward()
        del net
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    run_and_drop()
    gc.disable()  # dropping alone must do it
    try:
        counts = [run_and_drop() for _ in range(NETS)]
    finally:
        gc.enable()
    assert counts == [counts[0]] * NETS


def test_nets_of_all_data_layers_leave_nothing_behind(inputs: Path) -> None:
    """`attack_leaks --count 2000` is the long form."""
    grown = attack_leaks.attack(3 * len(DATA) * len(attack_leaks.WAYS))
    assert (grown.threads, grown.files) == (0, 0)
    assert grown.mebibytes < attack_leaks.NOISE

"""How many of our files does a reader enter who follows one call? Counted while the call runs.

    python scripts/files_entered.py [--files]

A file counts when one of its functions runs during the call; what runs at import alone does not. Each call is followed
on every thread that it starts.

The first `forward()` of a net plans its fused run, which later calls repeat, and so has a line of its own. With
engine="exact" a net runs layer by layer at every call. `train` comes last, since it leaves its log's settings behind.
"""

import gc
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import caffe_compat as caffe
from caffe_compat.cli.start import start
from caffe_compat.convert.conversion import convert
from caffe_compat.data.lmdb_writer import LmdbWriter

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = str(ROOT / "caffe_compat")
DEPLOY = str(ROOT / "models" / "coco" / "resnet101_srn" / "coco_resnet101_srn_test.prototxt")
TRAINED = """
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 2 dim: 3 dim: 8 dim: 8 } shape { dim: 2 } data_filler { type: "gaussian" } data_filler { value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
"""
SOLVER = 'net: "train.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 2 snapshot_prefix: "s" solver_mode: CPU'
RECORDS = """
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "records" batch_size: 2 backend: LMDB } }
"""


def importing(frame: FrameType | None) -> bool:
    """Tells whether a frame belongs to the import of a file of ours: its body, its classes' bodies, its decorators."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(PACKAGE):
            return True
        frame = frame.f_back
    return False


def files_entered(call: Callable[[], object]) -> list[str]:
    """The files of ours whose functions run during the call."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE) and not importing(frame):
            found.add(str(Path(code.co_filename).relative_to(PACKAGE)))

    gc.collect()  # what ends objects of earlier calls is no part of this one
    gc.disable()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        gc.enable()
    return sorted(found)


def calls(folder: Path) -> dict[str, Callable[[], object]]:
    """What is followed, by name; files that the calls read are written first."""
    weights = str(folder / "w.caffemodel")
    caffe.Net(DEPLOY, caffe.TEST).save(weights)
    net = caffe.Net(DEPLOY, caffe.TEST)
    (folder / "train.prototxt").write_text(TRAINED)
    (folder / "solver.prototxt").write_text(
        SOLVER.replace("train.", f"{folder}/train.").replace('"s"', f'"{folder}/s"')
    )
    write_records(folder / "records")
    (folder / "records.prototxt").write_text(RECORDS.replace("records", str(folder / "records")))
    records = caffe.Net(str(folder / "records.prototxt"), caffe.TRAIN)
    return {
        "Net(...) with weights": lambda: caffe.Net(DEPLOY, caffe.TEST, weights=weights),
        "forward(), the first": net.forward,
        "forward()": net.forward,
        "forward(), exact engine": caffe.Net(DEPLOY, caffe.TEST, engine="exact").forward,
        "caffemodel to ONNX": lambda: convert(weights, "onnx", str(folder / "w.onnx")),
        "LMDB record to batch": records.forward,
        "train": lambda: start(["train", f"--solver={folder}/solver.prototxt"]),
    }


def write_records(path: Path) -> None:
    """A database of three images of noise."""
    random = np.random.default_rng(1)
    with LmdbWriter(str(path)) as database:
        for number in range(3):
            datum = caffe.io.array_to_datum(random.integers(0, 255, (3, 8, 8), np.uint8), number)
            database.put(f"{number:08d}".encode(), datum)


def main() -> None:
    """Prints a line for each call; with an argument, the files as well."""
    with tempfile.TemporaryDirectory() as folder:
        for name, call in calls(Path(folder)).items():
            files = files_entered(call)
            print(f"{name:24s}{len(files):4d}")
            if len(sys.argv) > 1:
                print("    " + "\n    ".join(files))


if __name__ == "__main__":
    main()

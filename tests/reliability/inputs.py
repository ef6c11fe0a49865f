"""Valid inputs of every kind that a user can give, and what reads each of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import h5py
import numpy as np
import torch

from caffe_compat.convert.formats.mean_image import convert_mean
from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.formats.safetensors_file import write_safetensors
from caffe_compat.convert.formats.state_dict import write_state_dict
from caffe_compat.data.lmdb_writer import LmdbWriter
from caffe_compat.data.sources.datums import array_to_datum, encoded_datum, image_to_datum
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_net, read_solver, read_weights
from caffe_compat.proto.write import write_blob
from caffe_compat.solvers.solver import Solver
from caffe_compat.solvers.solver_nets import copy_weights

LAYERS = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 4 kernel_size: 3
  weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "scale" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }
layer { name: "pool" type: "Pooling" bottom: "c" top: "p" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "drop" type: "Dropout" bottom: "p" top: "p" dropout_param { dropout_ratio: 0.3 } }
layer { name: "ip" type: "InnerProduct" bottom: "p" top: "y" inner_product_param { num_output: 3
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }
"""
#: Formats of images beside PNG and JPEG.
FORMATS = ("tif", "bmp", "webp", "gif", "jp2", "hdr", "pam", "avif")
#: The data layer of each source of images.
DATA = {
    "lmdb": 'type: "Data" data_param { source: "db" batch_size: 3 backend: LMDB }',
    "encoded": 'type: "Data" data_param { source: "jpegs" batch_size: 3 backend: LMDB }',
    "list": 'type: "ImageData" image_data_param { source: "list.txt" batch_size: 3 shuffle: true }',
    "hdf5": 'type: "HDF5Data" hdf5_data_param { source: "rows.txt" batch_size: 3 }',
    "windows": 'type: "WindowData" window_data_param { source: "windows.txt" batch_size: 4 fg_threshold: 0.5 '
    'bg_threshold: 0.5 fg_fraction: 0.5 } transform_param { crop_size: 8 mean_file: "mean.binaryproto" }',
    "video": 'type: "VideoData" video_data_param { source: "videos.txt" batch_size: 2 num_segments: 1 new_length: 1 '
    'modality: RGB name_pattern: "%d.png" }',
    "floats": 'type: "Data" data_param { source: "floats" batch_size: 3 backend: LMDB }',
    "vectors": 'type: "ImageData" image_data_param { source: "list.txt" label_source: "vectors.txt" batch_size: 3 }',
    "formats": 'type: "ImageData" image_data_param { source: "formats.txt" batch_size: 4 }',
    "mean": 'type: "ImageData" image_data_param { source: "list.txt" batch_size: 3 } '
    'transform_param { mean_file: "mean.binaryproto" }',
}
SOLVER = """net: "{net}.prototxt" base_lr: 0.01 momentum: 0.9 weight_decay: 0.001 lr_policy: "step" stepsize: 5
gamma: 0.5 max_iter: 2 snapshot_prefix: "s" random_seed: 4 display: 1
"""


class Kind(NamedTuple):
    """One kind of input: the file that is damaged, and what a user does with it, from its folder."""

    name: str
    file: str
    use: Callable[[], object]


def train(net: str, iterations: int = 1, restore: str = "") -> None:
    """Builds a solver on a net, resumes where asked, and trains."""
    solver = Solver(read_solver(f"{net}_solver.prototxt"), "exact")
    try:
        if restore:
            solver.restore(restore)
        solver.step(iterations)
    finally:
        solver.close()


def finetune(weights: str) -> None:
    """Copies weights into a net."""
    solver = Solver(read_solver("list_solver.prototxt"), "exact")
    try:
        copy_weights(solver.net, weights)
    finally:
        solver.close()


KINDS = (
    Kind("net", "list.prototxt", lambda: train("list")),
    Kind("net, read", "list.prototxt", lambda: read_net("list.prototxt")),
    Kind("solver", "list_solver.prototxt", lambda: train("list")),
    Kind("lmdb", "db/data.mdb", lambda: train("lmdb", 3)),
    Kind("lmdb of jpegs", "jpegs/data.mdb", lambda: train("encoded", 3)),
    Kind("image list", "list.txt", lambda: train("list", 3)),
    Kind("png", "1.png", lambda: train("list", 3)),
    Kind("jpeg", "2.jpg", lambda: train("list", 3)),
    *(Kind(form, f"image.{form}", lambda: train("formats", 2)) for form in FORMATS),
    Kind("mean", "mean.binaryproto", lambda: train("mean")),
    Kind("infogain", "infogain.binaryproto", lambda: train("infogain")),
    Kind("float datums", "floats/data.mdb", lambda: train("floats", 2)),
    Kind("label vectors", "vectors.txt", lambda: train("vectors", 2)),
    Kind("hdf5 list", "rows.txt", lambda: train("hdf5")),
    Kind("hdf5", "rows.h5", lambda: train("hdf5", 3)),
    Kind("window file", "windows.txt", lambda: train("windows")),
    Kind("video list", "videos.txt", lambda: train("video", 2)),
    Kind("caffemodel", "s_iter_2.caffemodel", lambda: finetune("s_iter_2.caffemodel")),
    Kind("caffemodel, read", "s_iter_2.caffemodel", lambda: read_weights("s_iter_2.caffemodel")),
    Kind("caffemodel.h5", "h_iter_2.caffemodel.h5", lambda: finetune("h_iter_2.caffemodel.h5")),
    Kind("solverstate", "s_iter_2.solverstate", lambda: train("list", 1, "s_iter_2.solverstate")),
    Kind("solverstate.h5", "h_iter_2.solverstate.h5", lambda: train("list", 1, "h_iter_2.solverstate.h5")),
    Kind("sidecar", "s_iter_2.resume.json", lambda: train("list", 1, "s_iter_2.solverstate")),
    Kind("safetensors", "m.safetensors", lambda: read_model("m.safetensors")),
    Kind("pt", "m.pt", lambda: read_model("m.pt")),
    Kind("mean to npy", "mean.binaryproto", lambda: convert_mean("mean.binaryproto", "npy", "out.npy")),
)


def make_inputs(folder: Path) -> None:
    """Writes all of them to the current folder, which is `folder`."""
    random = np.random.RandomState(3)
    images = [random.randint(0, 256, (8, 8, 3), np.uint8) for _ in range(5)]
    for number, image in enumerate(images):
        cv2.imwrite(f"{number}.{'jpg' if number == 2 else 'png'}", image)
    names = [f"{number}.{'jpg' if number == 2 else 'png'}" for number in range(5)]
    Path("list.txt").write_text("".join(f"{name} {number % 3}\n" for number, name in enumerate(names)))
    with LmdbWriter("db") as raw, LmdbWriter("jpegs") as encoded:
        for number, image in enumerate(images):
            raw.put(b"%08d_x" % number, image_to_datum(image, number % 3))
            encoded.put(b"%08d_x" % number, encoded_datum(cv2.imencode(".jpg", image)[1].tobytes(), number % 3))
    with h5py.File("rows.h5", "w") as file:
        file.create_dataset("data", data=random.randn(7, 3, 8, 8), chunks=(2, 3, 8, 8), compression="gzip")
        file["label"] = np.arange(7) % 3
    Path("rows.txt").write_text(f"{folder}/rows.h5\n")
    write_blob("mean.binaryproto", random.rand(1, 3, 8, 8).astype(np.float32))
    Path("windows.txt").write_text(
        "".join(f"# {n}\n{names[n]}\n3\n8\n8\n2\n1 0.9 0 0 6 6\n0 0.1 1 1 7 5\n" for n in range(3))
    )
    Path("videos").mkdir()
    for number in range(1, 4):
        cv2.imwrite(f"videos/{number}.png", images[number])
    Path("videos.txt").write_text("videos 3 1\nvideos 2 0\n")
    for name, data in DATA.items():
        layer = f'name: "{name}"\nlayer {{ name: "data" top: "data" top: "label" {data} }}\n'
        Path(f"{name}.prototxt").write_text(layer + LAYERS)
        Path(f"{name}_solver.prototxt").write_text(SOLVER.format(net=name))
    _make_rare_inputs(images)
    make_weights()


def _make_rare_inputs(images: list[np.ndarray[Any, Any]]) -> None:
    """Images of rare formats, a matrix of losses, label vectors, and a database of float values."""
    large = cv2.resize(images[0], (48, 48))  # JPEG 2000 has a smallest size
    for form in FORMATS:
        cv2.imwrite(f"image.{form}", large.astype(np.float32) / 255 if form == "hdr" else large)
    Path("formats.txt").write_text("".join(f"image.{form} {number % 3}\n" for number, form in enumerate(FORMATS)))
    Path("vectors.txt").write_text("".join(f"{number % 3}\n" for number in range(len(images))))
    write_blob("infogain.binaryproto", np.eye(3, dtype=np.float32).reshape(1, 1, 3, 3))
    text = Path("list.prototxt").read_text().replace('"list"', '"infogain"')
    infogain = 'type: "InfogainLoss" infogain_loss_param { source: "infogain.binaryproto" }'
    soft = 'layer { name: "soft" type: "Softmax" bottom: "y" top: "soft" }\nlayer { name: "loss"'
    text = text.replace('type: "SoftmaxWithLoss" bottom: "y"', f'{infogain} bottom: "soft"')
    Path("infogain.prototxt").write_text(text.replace('layer { name: "loss"', soft))
    Path("infogain_solver.prototxt").write_text(SOLVER.format(net="infogain"))
    with LmdbWriter("floats") as floats:
        for number, image in enumerate(images):
            values = image.transpose(2, 0, 1).astype(np.float32) / 255
            floats.put(b"%08d_x" % number, array_to_datum(values, number % 3))


def make_weights() -> None:
    """Snapshots of both formats, and the weights in ours."""
    for prefix, form in (("s", "BINARYPROTO"), ("h", "HDF5")):
        parameter = read_solver("list_solver.prototxt")
        parameter.snapshot_prefix = prefix
        parameter.snapshot_format = getattr(caffe_pb2.SolverParameter, form)
        solver = Solver(parameter, "exact")
        solver.solve()
        solver.close()
    model = read_model("s_iter_2.caffemodel")
    write_safetensors("m.safetensors", model)
    write_state_dict("m.pt", model)
    torch.manual_seed(0)

"""How long does the deploy net of SRN take: ONNX Runtime, OpenVINO, OpenCV DNN, our engines, eager PyTorch?

    python benchmarks/inference.py [--depth 101] [--width 64] [--size 224] [--labels 80] [--batch 1] [--json FILE]

Random weights and statistics. ONNX Runtime runs our own export; OpenCV runs the same layers (Reduction said otherwise,
see caffe_compat/parity) with its fusion on. "load()" is the module that caffe_compat.load gives, "Net.forward()" the
face of pycaffe. All contenders get the same number of threads and take turns. On a GPU the contenders are those of
torch, and the reference is eager PyTorch.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import caffe_compat
from benchmarks.eager_srn import Srn
from benchmarks.measure import report, take_turns, use_gpu_if_there
from caffe_compat.engine.create import ENGINES, create_engine
from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.parity.opencv import translate
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.text import format_text
from caffe_compat.proto.upgrade import upgrade_net
from caffe_compat.proto.write import weights_chunks
from caffe_compat.runtimes.exported_part import exported_part, onnx_model
from prototxt_gen import generate

#: Engines that run on a GPU.
OF_TORCH = ("exact", "fast", "fast-bf16")


def deploy_net(arguments: argparse.Namespace) -> Net:
    """The generated test net with weights whose activations stay of one size through all layers."""
    files = generate(
        model="resnet101_srn", labels=arguments.labels, depth=arguments.depth, width=arguments.width,
        input_size=arguments.size, step="test",
    )  # fmt: skip
    (parameter,) = (message for message in files.values() if isinstance(message, caffe_pb2.NetParameter))
    upgrade_net(parameter)
    net = build_net(parameter, caffe_pb2.NetState(phase=caffe_pb2.TEST))
    for step in net.steps:
        if step.layer.spec.type == "BatchNorm":
            mean, variance, factor = step.layer.blobs
            mean.data.normal_(0, 0.1)
            variance.data.uniform_(0.5, 1.5)
            factor.data.fill_(1)
    net.blobs["data"].reshape(arguments.batch, 3, arguments.size, arguments.size)
    net.reshape()
    return net


def opencv_run(net: Net, images: np.ndarray) -> Callable[[], object]:
    """OpenCV's network on the same images."""
    other = translate(net)
    weights = b"".join(weights_chunks(other.parameter, other.blobs, "bvlc"))
    prototxt = format_text(other.parameter).encode()
    network = cv2.dnn.readNetFromCaffe(np.frombuffer(prototxt, np.uint8), np.frombuffer(weights, np.uint8))
    (fed,) = other.fed

    def run() -> object:
        network.setInput(images, fed)
        return network.forward(other.found["y/y"])

    return run


def onnxruntime_run(net: Net, images: np.ndarray) -> Callable[[], object]:
    """ONNX Runtime by itself, on our export."""
    part = exported_part(net, ["y"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(onnx_model(net, part), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(["y"], {"data": images})


def loaded_run(net: Net, images: torch.Tensor, engine: str = "fast") -> Callable[[], object]:
    """The module that caffe_compat.load gives."""
    with tempfile.TemporaryDirectory() as folder:
        net.save(f"{folder}/net.caffemodel")
        module = caffe_compat.load(f"{folder}/net.caffemodel", outputs=["y"], engine=engine).to(images.device)

    def run() -> object:
        with torch.no_grad():
            return module(images)

    return run


def pycaffe_run(net: Net, images: np.ndarray, engine: str = "fast") -> Callable[[], object]:
    """pycaffe's Net.forward, with the images written into the input blob."""
    with tempfile.TemporaryDirectory() as folder:
        net.save(f"{folder}/net.caffemodel")
        (Path(folder) / "net.prototxt").write_text(format_text(net.parameter))
        text, weights = f"{folder}/net.prototxt", f"{folder}/net.caffemodel"
        face = caffe_compat.Net(text, caffe_compat.TEST, weights=weights, engine=engine)
    face.blobs["data"].reshape(*images.shape)
    return lambda: face.forward(data=images)["y"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = (("depth", 101), ("width", 64), ("size", 224), ("labels", 80), ("batch", 1), ("rounds", 9))
    for name, default in defaults:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(torch.get_num_threads())
    on_gpu = use_gpu_if_there()
    net = deploy_net(arguments)
    images = np.random.default_rng(0).normal(0, 50, net.blobs["data"].shape).astype(np.float32)
    net.blobs["data"].assign(torch.from_numpy(images).to(net.device))
    engines = {name: create_engine(name, net, ["y"]) for name in ENGINES if not on_gpu or name in OF_TORCH}
    eager = Srn(arguments.depth, arguments.width, arguments.labels, arguments.size).eval().to(net.device)
    tensor = torch.from_numpy(images).to(net.device)

    def run_eager() -> object:
        with torch.no_grad():
            return eager(tensor)

    others: dict[str, Callable[[], object]] = {}
    if not on_gpu:
        others = {
            "ONNX Runtime": onnxruntime_run(net, images),
            "OpenCV DNN": opencv_run(net, images),
            "load(), openvino": loaded_run(net, tensor, "openvino"),
            "Net.forward(), openvino": pycaffe_run(net, images, "openvino"),
        }
    contenders: dict[str, Callable[[], object]] = {
        **others,
        "load()": loaded_run(net, tensor),
        "Net.forward()": pycaffe_run(net, images),
        "eager PyTorch": run_eager,
        **{f"{name} engine": engine.forward for name, engine in engines.items()},
    }
    settings = {name: value for name, value in vars(arguments).items() if name != "json"}
    reference = "eager PyTorch" if on_gpu else "ONNX Runtime"
    report("the deploy net of SRN", take_turns(contenders, arguments.rounds), reference, arguments.json, **settings)


if __name__ == "__main__":
    main()

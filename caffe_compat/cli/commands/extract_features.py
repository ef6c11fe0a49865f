"""`extract_features`: writes the values of a net's blobs into databases (tools/extract_features.cpp)."""

import argparse
import logging
import os
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from caffe_compat.cli.databases import BACKENDS, Writer, create_database
from caffe_compat.cli.devices import use_gpu
from caffe_compat.cli.flags import add_quiet, whole_number
from caffe_compat.cli.parser import BooleanAction, CommandParser, UsageError
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.errors import DataError, ShapeError, did_you_mean
from caffe_compat.net.build import load_net
from caffe_compat.net.net import Net
from caffe_compat.net.settings import Surroundings, set_mode_cpu
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.solver_nets import copy_weights
from caffe_compat.terminal.progress import follow

logger = logging.getLogger("caffe_compat")


def parser() -> CommandParser:
    """Caffe's command line."""
    result = command_parser("extract_features", "Write the values of a net's blobs into databases.",
                            "caffe-compat extract_features net.caffemodel net.prototxt fc7 fc7_db 10 lmdb")  # fmt: skip
    add = result.add_argument
    add("weights", metavar="pretrained_net_param", help="the .caffemodel")
    add("prototxt", metavar="feature_extraction_proto_file", help="the net with its data layer")
    add("blobs", metavar="extract_feature_blob_name1[,name2,...]", help="the blobs to save")
    add("databases", metavar="save_feature_dataset_name1[,name2,...]", help="the database to make for each blob")
    add("batches", metavar="num_mini_batches", type=whole_number(0), help="how many batches to run")
    add("backend", metavar="db_type", choices=BACKENDS, help="lmdb or leveldb")
    add("mode", metavar="CPU/GPU", nargs="?", default="CPU", help="where to run (default: CPU)")
    add("device_id", metavar="DEVICE_ID", nargs="?", help="the number of the GPU (default: 0)")
    add_quiet(result, "log warnings and errors only")
    add("--allow_python_layers", action=BooleanAction, help="let Python layers of the net run the code that they name")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Writes float_data of each blob's shape; keys are counted from 0000000000."""
    names, paths = arguments.blobs.split(","), arguments.databases.split(",")
    if len(names) != len(paths):
        raise UsageError(f"the number of blob names and dataset names must be equal, got {len(names)} and {len(paths)}")
    for path in paths:
        _require_new(path)
    _use_device(arguments.mode, arguments.device_id)
    net = load_net(arguments.prototxt, "TEST", Surroundings(allow_python_layers=arguments.allow_python_layers))
    copy_weights(net, arguments.weights)
    for name in names:
        _require_blob(net, name, arguments.prototxt)
    with ExitStack() as stack:
        writers = [_create(arguments.backend, path, stack) for path in paths]
        _extract(net, dict(zip(names, writers, strict=True)), arguments.batches)
    net.close()
    logger.error("Successfully extracted the features!")
    return DONE


def _require_new(path: str) -> None:
    if os.path.exists(path):
        raise DataError(f"{path}: exists already; remove it or name another place")


def _require_blob(net: Net, name: str, prototxt: str) -> None:
    if name in net.blobs:
        return
    cure = did_you_mean(name, net.blobs)
    raise UsageError(f"Unknown feature blob name {name} in the network {prototxt}; {cure}")


def _use_device(mode: str, device_id: str | None) -> None:
    """Caffe reads "GPU" as the GPU and all else as the CPU; "DEVICE_ID=1" and "1" both mean the second GPU."""
    if mode != "GPU":
        logger.error("Using CPU")
        set_mode_cpu()
        return
    logger.error("Using GPU")
    number = (device_id or "0").removeprefix("DEVICE_ID=")
    device = int(number) if number.isdigit() else 0
    logger.error("Using Device_id=%d", device)
    use_gpu(device)


def _create(backend: str, path: str, stack: ExitStack) -> Writer:
    logger.info("Opening dataset %s", path)
    writer = create_database(backend, path)
    stack.enter_context(writer)
    return writer


def _extract(net: Net, writers: dict[str, Writer], batches: int) -> None:
    logger.error("Extracting Features")
    counts = dict.fromkeys(writers, 0)
    for _ in follow(range(batches), "extracting features", "batches"):
        net.forward_range(0, len(net.steps) - 1)
        for name, writer in writers.items():
            for features in np.atleast_1d(net.blobs[name].value.tensor().detach().cpu().numpy()):
                writer.put(f"{counts[name]:010d}".encode(), _datum(features))
                counts[name] += 1
                if counts[name] % 1000 == 0:
                    _log_count(name, counts[name])
    for name, count in counts.items():
        _log_count(name, count)


def _log_count(name: str, count: int) -> None:
    logger.error("Extracted features of %d query images for feature blob %s", count, name)


def _datum(features: NDArray[np.float32]) -> caffe_pb2.Datum:
    """Returns one image's values as a record; missing axes have size 1, as in Caffe's old shape of four axes."""
    if features.ndim > 3:
        raise ShapeError(
            f"a Datum holds 3 axes an image, the blob has {features.ndim}; put a Reshape or Flatten behind it"
        )
    channels, height, width = (*features.shape, 1, 1, 1)[:3]
    datum = caffe_pb2.Datum(channels=channels, height=height, width=width)
    datum.float_data.extend(features.ravel().tolist())
    return datum


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

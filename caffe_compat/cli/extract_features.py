"""`extract_features`: writes the values of a net's blobs into databases (tools/extract_features.cpp)."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from caffe_compat.cli.databases import Writer, create_database
from caffe_compat.cli.devices import use_gpu
from caffe_compat.cli.flags import Flag, FlagError, Flags
from caffe_compat.errors import ShapeError
from caffe_compat.net.build import Surroundings, load_net
from caffe_compat.net.device import set_mode_cpu
from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.solver_nets import copy_weights

USAGE = (
    "extract_features  pretrained_net_param  feature_extraction_proto_file  extract_feature_blob_name1[,name2,...]  "
    "save_feature_dataset_name1[,name2,...]  num_mini_batches  db_type  [CPU/GPU] [DEVICE_ID=0]"
)
FLAGS = (Flag("allow_python_layers", False, "lets Python layers of a net run the code that they name"),)

logger = logging.getLogger("caffe_compat")


def run(flags: Flags, arguments: Sequence[str]) -> int:
    """One record an image and blob: float_data of the blob's shape, keys counted from 0000000000."""
    if len(arguments) < 6:
        logger.error("This program takes in a trained network and an input data layer, and then extract features of "
                     "the input data produced by the net.\nUsage: %s", USAGE)  # fmt: skip
        return 1
    weights, prototxt, blobs, datasets, batches, backend = arguments[:6]
    _use_device(arguments[6:])
    names, paths = blobs.split(","), datasets.split(",")
    if len(names) != len(paths):
        raise FlagError(f"the number of blob names and dataset names must be equal, got {len(names)} and {len(paths)}")
    if not batches.isdigit():
        raise FlagError(f"num_mini_batches: expected a whole number, got '{batches}'")
    net = load_net(prototxt, "TEST", Surroundings(allow_python_layers=flags.allow_python_layers))
    copy_weights(net, weights)
    for name in names:
        if name not in net.blobs:
            raise FlagError(
                f"Unknown feature blob name {name} in the network {prototxt}; it has: {', '.join(net.blobs)}"
            )
    with ExitStack() as stack:
        writers = [_create(backend, path, stack) for path in paths]
        _extract(net, dict(zip(names, writers, strict=True)), int(batches))
    net.close()
    logger.error("Successfully extracted the features!")
    return 0


def _use_device(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] != "GPU":
        logger.error("Using CPU")
        set_mode_cpu()
        return
    logger.error("Using GPU")
    device = int(arguments[1]) if len(arguments) > 1 and arguments[1].isdigit() else 0
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
    for _ in range(batches):
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
    """One image's values; missing axes count 1, as Caffe's legacy shape has them."""
    if features.ndim > 3:
        raise ShapeError(
            f"a Datum holds 3 axes an image, the blob has {features.ndim}; put a Reshape or Flatten behind it"
        )
    channels, height, width = (*features.shape, 1, 1, 1)[:3]
    datum = caffe_pb2.Datum(channels=channels, height=height, width=width)
    datum.float_data.extend(features.ravel().tolist())
    return datum

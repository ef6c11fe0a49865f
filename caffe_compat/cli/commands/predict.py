"""Save a net's raw scores for the images of a list: one image per line, as the released model_test.py does.

The deploy net of `generate --model cnn_rnn` gives scores of labels by a beam search over label paths. Its second net,
CUSTOM_cnn_rnn_path_test.prototxt, is read from the same folder.
"""

import argparse
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from caffe_compat.cli.devices import gpus_of
from caffe_compat.cli.flags import (
    add_allow_unfilled,
    add_batch_size,
    add_device,
    add_engine,
    add_prototxt,
    add_quiet,
    add_weights,
    whole_number,
)
from caffe_compat.cli.image_flags import add_image_flags, image_flags_of
from caffe_compat.cli.outputs import claim_files
from caffe_compat.cli.parser import CommandParser, UsageError
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.convert.running_net import describes_its_net
from caffe_compat.proto.file_bytes import replacing
from caffe_compat.srn.datasets.layout import image_path, read_image_list
from caffe_compat.srn.prediction.label_paths import IMAGE_BLOB, PathNet, beam_scores
from caffe_compat.srn.prediction.predictor import Predictor
from caffe_compat.terminal.progress import duration


def parser() -> CommandParser:
    """The released program's arguments; the last three may be flags as well."""
    result = command_parser(
        "predict",
        __doc__ or "",
        "caffe-compat predict photos/ test_imglist.txt test.prototxt net.caffemodel scores.txt",
    )
    add = result.add_argument
    add("root", help="the folder to which the names of the list are relative")
    add("list", type=Path, help="one image per line; text after the name is ignored")
    add("files", nargs="*", metavar="PROTOTXT WEIGHTS OUT", help="can also be given by the flags of these names")
    add_prototxt(result, "the deploy net", required=False)
    add_weights(
        result, "its .caffemodel; or .safetensors or .pt, which contain their net, so that --prototxt can be left out"
    )
    add("--out", metavar="FILE", help="the text file to write; .npy: a NumPy array")
    add_batch_size(result, 48)
    add_engine(result)
    add_device(result)
    add("--gpus", type=int, nargs="+", default=(), help="the released program's spelling of --device cuda:0,1")
    add("--num_test", type=whole_number(1, "number of images"), metavar="N", help="stop after this number of images")
    add("--blob", metavar="NAME", help="what to save (default: the net's first output)")
    add("--beam", type=whole_number(1), default=5, metavar="N", help="for a CNN-RNN: number of paths kept")
    add_image_flags(result)
    add_allow_unfilled(result)
    add_quiet(result)
    return result


def files_of(arguments: argparse.Namespace) -> tuple[str | None, str, Path]:
    """Returns net, weights and the file to write: from the flags, or else from the arguments in this order.

    The net is None if only --weights and --out are given, and the weights file describes its net.
    """
    waiting = list(arguments.files)
    if not (waiting or arguments.prototxt) and arguments.out and describes_its_net(arguments.weights or ""):
        return None, arguments.weights, Path(arguments.out)
    found: list[str] = []
    for name in ("prototxt", "weights", "out"):
        given = getattr(arguments, name) or (waiting.pop(0) if waiting else None)
        if given is None:
            raise UsageError(f"the following arguments are required: {name.upper()}, or --{name}")
        found.append(given)
    if waiting:
        raise UsageError(f"unexpected argument '{waiting[0]}'")
    return found[0], found[1], Path(found[2])


def show_speed(started: float, done: int, batches: int) -> None:
    """Prints one line per batch, as the released program does, and the remaining time."""
    seconds = time.monotonic() - started
    left = duration(seconds / done * (batches - done))
    print(f"batch: {done} / {batches}, time: {seconds:.3f} s, about {left} left", flush=True)


def run(arguments: argparse.Namespace) -> int:
    """Reads the list, predicts, saves."""
    prototxt, weights, out = files_of(arguments)
    claim_files([out])
    started = time.monotonic()
    images = read_image_list(arguments.list)[: arguments.num_test]
    paths = [image_path(arguments.root, image.name) for image in images]
    gpus = arguments.gpus or gpus_of(arguments.device)
    predictor = Predictor(
        prototxt,
        weights,
        arguments.batch_size,
        arguments.blob,
        gpus,
        arguments.engine,
        arguments.allow_unfilled,
        images=image_flags_of(arguments),
    )
    by_paths = predictor.blob == IMAGE_BLOB and not arguments.blob
    path_net = PathNet.beside(prototxt or weights, weights) if by_paths else None
    values = predictor.predict(paths, _silent if arguments.quiet else partial(show_speed, started))
    scores = beam_scores(values, path_net, arguments.beam) if path_net else values
    with replacing(out) as beside, beside.open("wb") as file:
        if out.suffix == ".npy":
            np.save(file, scores)
        else:
            np.savetxt(file, scores, fmt="%.6f")
    source = "label paths" if by_paths else predictor.blob
    print(f"wrote {len(scores)} lines of {scores.shape[1]} scores ({source}) to {out}")
    return DONE


def _silent(done: int, batches: int) -> None:
    """Shows nothing."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

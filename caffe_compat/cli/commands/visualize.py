"""Draw the attention maps A and U of an SRN net over images, as the paper's Figure 3."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from caffe_compat.cli.common_flags import add_device, add_prototxt, add_weights
from caffe_compat.cli.devices import gpus_of, use_gpu
from caffe_compat.cli.endings import DONE
from caffe_compat.cli.outputs import claim_folder
from caffe_compat.cli.parser import CommandParser, command_parser
from caffe_compat.cli.program import run_program
from caffe_compat.errors import DataError
from caffe_compat.net.build import load_net
from caffe_compat.net.net import Net
from caffe_compat.srn.prediction.attention_maps import Attention, attend, attention_blobs, draw_attention
from caffe_compat.terminal.progress import follow


def parser() -> CommandParser:
    """The command line."""
    result = command_parser(
        "visualize",
        __doc__ or "",
        "caffe-compat visualize photo.jpg --prototxt test.prototxt --weights srn.caffemodel --out maps",
    )
    result.add_argument("images", nargs="+", help="image files")
    add_prototxt(result, "the deploy net, generated or released")
    add_weights(result, "its .caffemodel", required=True)
    add_device(result)
    result.add_argument("--out", type=Path, default=Path("."), help="folder for IMAGE_attention.png (default: .)")
    result.add_argument("--labels", nargs="+", type=int, help="which labels, from 0 (default: the best scored)")
    result.add_argument("--top", type=int, default=4, help="how many of the best scored labels (default: 4)")
    result.add_argument("--class-names", type=Path, help="one name a line")
    result.add_argument("--rescale", action="store_true", help="make each map's largest value red (default: 1 is red)")
    result.add_argument("--attention", help="the blob of A, if neither generated nor released names fit")
    result.add_argument("--weighted", help="the blob of U")
    result.add_argument("--blob", help="the blob of the scores (default: the net's first output)")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Writes one picture per image."""
    claim_folder(arguments.out)
    for gpu in gpus_of(arguments.device)[:1]:
        use_gpu(gpu)
    net = load_net(arguments.prototxt, "TEST", weights=arguments.weights)
    for image in follow(arguments.images, "drawing", "images"):
        print(f"wrote {draw(net, image, arguments)}")
    return DONE


def draw(net: Net, image: str, arguments: argparse.Namespace) -> Path:
    """Write one picture; returns its path."""
    maps = attend(net, attention_blobs(net, arguments.attention, arguments.weighted), image, arguments.blob)
    names = class_names(arguments.class_names, len(maps.attention))
    figure = draw_attention(image, maps, chosen_labels(maps, arguments), names, rescale=arguments.rescale)
    path: Path = arguments.out / f"{Path(image).stem}_attention.png"
    figure.savefig(path, dpi=120)
    return path


def chosen_labels(maps: Attention, arguments: argparse.Namespace) -> list[int]:
    """The labels asked for, or the best scored."""
    if arguments.labels is None:
        return [int(label) for label in np.argsort(-maps.scores)[: arguments.top]]
    foreign = [label for label in arguments.labels if not 0 <= label < len(maps.attention)]
    if foreign:
        raise DataError(f"--labels: expected numbers from 0 to {len(maps.attention) - 1}, found {foreign[0]}")
    return list(arguments.labels)


def class_names(path: Path | None, labels: int) -> list[str]:
    """The names of a file, or numbers."""
    names = path.read_text(encoding="utf-8").splitlines() if path else [str(label) for label in range(labels)]
    if len(names) != labels:
        raise DataError(f"{path}: expected {labels} class names, one a line, as the net has maps, found {len(names)}")
    return names


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

"""Draw the attention maps A and U of an SRN net over images, as the paper's Figure 3, or the label paths of a CNN-RNN.

The deploy net of `generate --model cnn_rnn` gives IMAGE_path.png: the paths of a beam search, as a tree. Its second
net, CUSTOM_cnn_rnn_path_test.prototxt, is read from the same folder.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from caffe_compat.cli.devices import gpus_of, use_gpu
from caffe_compat.cli.flags import (
    add_allow_unfilled,
    add_device,
    add_prototxt,
    add_quiet,
    add_weights,
    whole_number,
)
from caffe_compat.cli.outputs import claim_folder
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.data.preprocessing import read_picture
from caffe_compat.errors import DataError
from caffe_compat.net.build import load_net
from caffe_compat.net.net import Net
from caffe_compat.proto.file_bytes import replacing
from caffe_compat.srn.metrics.prepared import read_class_names, read_prepared
from caffe_compat.srn.prediction.attention_figure import draw_attention
from caffe_compat.srn.prediction.attention_maps import attend, attention_blobs
from caffe_compat.srn.prediction.filled_weights import require_filled
from caffe_compat.srn.prediction.label_paths import IMAGE_BLOB, PathNet, image_embedding, search_paths
from caffe_compat.srn.prediction.path_figure import draw_paths
from caffe_compat.srn.prediction.shown_labels import TrueLabels, choose_labels, find_labels
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
    result.add_argument(
        "--out", type=Path, default=Path("."), help="folder for IMAGE_attention.png or IMAGE_path.png (default: .)"
    )
    result.add_argument("--labels", nargs="+", help="which labels, by name or number (default: true, then best scored)")
    result.add_argument("--top", type=whole_number(1), default=4, help="how many labels, where --labels is not given")
    result.add_argument("--data", type=Path, help="a folder that prepare wrote: label names, and true labels in red")
    result.add_argument("--true", nargs="+", default=[], help="true labels of the images, by name or number")
    result.add_argument("--class-names", type=Path, help="one name per line (default: as --data says, or numbers)")
    result.add_argument("--scale", choices=("map", "one"), default="map",
                        help="the end of the colour scale: map: the largest value of each map; one: 1")  # fmt: skip
    result.add_argument("--rescale", dest="scale", action="store_const", const="map", help=argparse.SUPPRESS)
    result.add_argument("--cells", action="store_true", help="draw the cells of the maps with their edges")
    result.add_argument("--attention", help="the blob of A, if neither generated nor released names fit")
    result.add_argument("--weighted", help="the blob of U")
    result.add_argument("--beam", type=whole_number(1), default=5, help="for a CNN-RNN: number of paths kept")
    result.add_argument("--blob", help="the blob of the scores (default: the net's first output)")
    add_allow_unfilled(result)
    add_quiet(result)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Writes one picture per image."""
    claim_folder(arguments.out)
    truth = TrueLabels(arguments.data) if arguments.data else None
    for gpu in gpus_of(arguments.device)[:1]:
        use_gpu(gpu)
    net = load_net(arguments.prototxt, "TEST", weights=arguments.weights)
    require_filled(net, arguments.weights, arguments.prototxt, arguments.allow_unfilled)
    paths = PathNet.beside(arguments.prototxt, arguments.weights) if IMAGE_BLOB in net.blobs else None
    for image in follow(arguments.images, "drawing", "images"):
        if paths:
            print(f"wrote {draw_label_paths(net, paths, image, truth, arguments)}")
        else:
            print(f"wrote {draw(net, image, truth, arguments)}")
    return DONE


def draw_label_paths(
    net: Net, paths: PathNet, image: str, truth: TrueLabels | None, arguments: argparse.Namespace
) -> str:
    """Write the tree of an image's label paths; returns its path and the most probable labels."""
    embedding = image_embedding(net, image)
    names = class_names(arguments, paths.labels)
    true = {*(truth.of(image) if truth else ()), *find_labels(arguments.true, names, "--true")}
    found = search_paths(paths.next_label(embedding), arguments.beam, paths.labels)
    file = arguments.out / f"{Path(image).stem}_path.png"
    draw_paths(read_picture(image), found, names, true).savefig(file, dpi=150)
    return f"{file}: {', '.join(names[label] for label in found[0].labels) or 'no label'}"


def draw(net: Net, image: str, truth: TrueLabels | None, arguments: argparse.Namespace) -> Path:
    """Write one picture; returns its path."""
    maps = attend(net, attention_blobs(net, arguments.attention, arguments.weighted), image, arguments.blob)
    names = class_names(arguments, len(maps.attention))
    true = {*(truth.of(image) if truth else ()), *find_labels(arguments.true, names, "--true")}
    if arguments.labels is None:
        labels = choose_labels(maps.scores, true, arguments.top)
    else:
        labels = find_labels(arguments.labels, names, "--labels")
    figure = draw_attention(
        read_picture(image), maps, labels, names, true, not arguments.cells, arguments.scale == "one"
    )
    path: Path = arguments.out / f"{Path(image).stem}_attention.png"
    with replacing(path) as beside:
        figure.savefig(beside, format="png", dpi=150)
    return path


def class_names(arguments: argparse.Namespace, labels: int) -> Sequence[str]:
    """The names of a file or of a prepared folder, or numbers."""
    source = arguments.class_names or arguments.data
    if source is None:
        return [str(label) for label in range(labels)]
    names = read_class_names(source) if arguments.class_names else read_prepared(source).class_names
    if len(names) != labels:
        raise DataError(
            f"{source}: expected {labels} class names, one per line, as the net has maps, found {len(names)}"
        )
    return names


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

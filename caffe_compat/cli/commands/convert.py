"""Convert trained Caffe nets: .caffemodel of either dialect and any age, .caffemodel.h5, .safetensors, .pt.

    caffe-compat convert net.caffemodel --to safetensors
    caffe-compat convert net.caffemodel --to onnx --dynamic-batch --outputs prob
    caffe-compat convert net.caffemodel --to prototxt --form deploy
    caffe-compat convert net.caffemodel --to caffemodel --dialect bvlc --rename readable
    caffe-compat convert resnet101.pth --to caffemodel
    caffe-compat convert step_4_iter_1000.caffemodel --to torchvision
    caffe-compat convert net.caffemodel --to safetensors --mean 104,117,123
    caffe-compat convert mean.binaryproto --to npy

`caffe_compat.load("net.safetensors")` (or .pt, or .caffemodel) makes a torch module of the result.
"""

import argparse
import logging
import math
from collections.abc import Sequence

from caffe_compat.cli.flags import add_allow_unfilled, add_quiet
from caffe_compat.cli.image_flags import add_image_flags, image_flags_of
from caffe_compat.cli.outputs import claim_files
from caffe_compat.cli.parser import CommandParser, UsageError
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.convert.conversion import TARGETS, convert
from caffe_compat.convert.formats.mean_image import MEAN_TARGETS, convert_mean, is_mean
from caffe_compat.convert.model import Shape
from caffe_compat.convert.norm.bn_statistics import STATISTICS
from caffe_compat.convert.norm.exchange import NORMS
from caffe_compat.convert.options import DEPLOY, SAME, TRAIN, Options
from caffe_compat.convert.pretrained.naming import Normalization
from caffe_compat.convert.pretrained.pixels import Mean, Pixels
from caffe_compat.convert.report import as_text, write_report
from caffe_compat.errors import MissingFeatureError
from caffe_compat.proto.dialects.translate import DIALECTS, OWN

#: Flags of some targets.
ONLY_OF = {
    "form": {"prototxt"},
    "outputs": {"onnx", "prototxt"},
    "dynamic_batch": {"onnx"},
    "dynamic_size": {"onnx"},
}


def parser() -> CommandParser:
    """The command line."""
    result = command_parser(
        "convert", __doc__ or "", "caffe-compat convert net.caffemodel --to onnx --fold --out net.onnx"
    )
    add = result.add_argument
    add("weights", help="the file to convert; its kind and dialect are detected")
    add("--to", required=True, choices=[*TARGETS, *MEAN_TARGETS], help="npy and binaryproto are for mean images")
    add("--out", help="the file to write (default: in the source's folder, with another suffix)")
    add("--prototxt", help="the net to use in place of the one in the weights file (HDF5 holds none)")
    add("--from-dialect", choices=DIALECTS, help="read a .caffemodel in this dialect (default: detected)")
    add(
        "--dialect", choices=[SAME, *DIALECTS, OWN], default=SAME,
        help="the Caffe to write for (default: the source's); own: every field of every Caffe, for this program alone",
    )  # fmt: skip
    add("--norm", choices=["auto", *NORMS], default="auto", help="BN or BatchNorm + Scale (auto: as --dialect needs)")
    add(
        "--bn-statistics", choices=STATISTICS, default=STATISTICS[0], help="what BN's 4th blob holds (auto: its values)"
    )
    add(
        "--fold", "--fold-bn", dest="fold_bn", action="store_true",
        help="put normalisation into the convolutions; for prediction only",
    )  # fmt: skip
    add(
        "--rename", metavar="readable|FILE", help="names by role (res4b22, att_conv1 ...), or a file of 'old new' lines"
    )
    add("--form", choices=[DEPLOY, TRAIN], default=DEPLOY, help="for --to prototxt (default: %(default)s)")
    add_input_shape(result)
    add(
        "--outputs", nargs="+", default=[], metavar="BLOB", help="for --to onnx and prototxt: the last blobs of the net"
    )
    add("--dynamic-batch", action="store_true", help="for --to onnx: leave the batch size open")
    add("--dynamic-size", action="store_true", help="for --to onnx: leave height and width of images open")
    add("--no-check", action="store_true", help="for --to onnx: do not run it in onnxruntime")
    add_image_flags(result)
    add(
        "--source-mean", type=three_numbers, metavar="R,G,B",
        help="mean of pixels from 0 to 1 that a pretrained ResNet was trained with (default: the project's)",
    )  # fmt: skip
    add("--source-std", type=three_numbers, metavar="R,G,B", help="their deviation")
    add(
        "--report", "--json", metavar="FILE",
        help="write the report about every layer to a file (.json or text) instead of the terminal",
    )  # fmt: skip
    add_allow_unfilled(result)
    add_quiet(result, "do not print the report about every layer")
    return result


def add_input_shape(parser: argparse.ArgumentParser) -> None:
    """Declares --input-shape, which may be given once per input."""
    parser.add_argument("--input-shape", action="append", default=[], type=input_shape, metavar="BLOB=N,C,H,W",
                        help="the shape of an input, if the file does not state it; once per input")  # fmt: skip


def input_shape(text: str) -> tuple[str, Shape]:
    """Returns the name and the shape in `data=1,3,224,224`."""
    name, _, sizes = text.partition("=")
    if not (name and all(size.strip().isdecimal() and int(size) for size in sizes.split(","))):
        raise argparse.ArgumentTypeError(f"expected BLOB=N,C,H,W with sizes from 1 on, got '{text}'")
    return name, tuple(int(size) for size in sizes.split(","))


def three_numbers(text: str) -> tuple[float, float, float]:
    """`104,117,123` as numbers."""
    try:
        first, second, third = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected three numbers as in 104,117,123, got '{text}'") from None
    return first, second, third


def pixels_of(arguments: argparse.Namespace) -> Pixels:
    """What a pretrained ResNet and its Caffe net are shown."""
    mean, std = arguments.source_mean, arguments.source_std
    if mean is None and std is None:
        return Pixels(mean=three_means(arguments.mean))
    if mean is None or std is None:
        raise UsageError("--source-mean and --source-std belong together; give both")
    if not all(0 < value < math.inf for value in std):
        raise UsageError(
            f"--source-std: expected three numbers above 0, got {', '.join(f'{value:g}' for value in std)}"
        )
    return Pixels(Normalization(mean, std), three_means(arguments.mean))


def three_means(mean: tuple[float, ...] | None) -> Mean | None:
    """Returns --mean with a number for each channel of a pretrained ResNet."""
    if mean is None:
        return None
    blue, green, red = mean if len(mean) == 3 else mean * 3
    return blue, green, red


def options_of(arguments: argparse.Namespace) -> Options:
    """Returns the flags as the options of the converter."""
    return Options(
        prototxt=arguments.prototxt,
        source_dialect=arguments.from_dialect,
        dialect=arguments.dialect,
        norm=arguments.norm,
        bn_statistics=arguments.bn_statistics,
        fold_bn=arguments.fold_bn,
        rename=arguments.rename,
        form=arguments.form,
        input_shapes=dict(arguments.input_shape),
        outputs=tuple(arguments.outputs),
        dynamic_batch=arguments.dynamic_batch,
        dynamic_size=arguments.dynamic_size,
        check=not arguments.no_check,
        allow_unfilled=arguments.allow_unfilled,
        pixels=pixels_of(arguments),
        images=image_flags_of(arguments),
    )


def idle_flags(arguments: argparse.Namespace) -> list[str]:
    """Returns the flags that are given but have no effect on this target."""
    is_image = arguments.to in MEAN_TARGETS or is_mean(arguments.weights)
    names = (
        [name for name in vars(arguments) if name not in ("weights", "to", "out", "quiet")] if is_image else [*ONLY_OF]
    )
    given = [name for name in names if getattr(arguments, name) != parser().get_default(name)]
    idle = [name for name in given if is_image or arguments.to not in ONLY_OF[name]]
    if arguments.outputs and arguments.form == TRAIN and arguments.to == "prototxt":
        idle.append("outputs")
    return ["--" + name.replace("_", "-") for name in idle]


def run(arguments: argparse.Namespace) -> int:
    """Converts one file and prints what became of it."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if idle := idle_flags(arguments):
        kind = "a mean image" if is_mean(arguments.weights) else f"--to {arguments.to}"
        raise MissingFeatureError(f"{arguments.weights}: {kind} has no use for {', '.join(idle)}; leave it out")
    claim_files([arguments.out, arguments.report])
    if arguments.to in MEAN_TARGETS or is_mean(arguments.weights):
        print(f"wrote {convert_mean(arguments.weights, arguments.to, arguments.out)}")
    else:
        convert_net(arguments)
    return DONE


def convert_net(arguments: argparse.Namespace) -> None:
    """Converts a net and reports on every layer, where it is asked for."""
    conversion = convert(arguments.weights, arguments.to, arguments.out, options_of(arguments))
    where = f"; what became of every layer: {arguments.report}" if arguments.report else ""
    if arguments.report:
        write_report(arguments.report, conversion.report, conversion.rows)
    elif not arguments.quiet:
        print(as_text(conversion.report, conversion.rows))
    print(f"wrote {conversion.path}{where}")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

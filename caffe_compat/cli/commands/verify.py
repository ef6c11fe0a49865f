"""Compare a net's run here with another's, layer by layer, and name the first layer that differs, with a likely cause.

    caffe-compat verify --prototxt deploy.prototxt --weights net.caffemodel --against opencv
    caffe-compat verify --prototxt deploy.prototxt --weights net.caffemodel --against dump.npz --backward
    caffe-compat verify --prototxt deploy.prototxt --weights net.caffemodel --pycaffe-python /opt/caffe/bin/python
    caffe-compat verify --prototxt deploy.prototxt --weights net.caffemodel --against net.onnx --html report.html
    caffe-compat verify --weights net.safetensors --against opencv
    caffe-compat verify --solver solver.prototxt --weights init.caffemodel --pycaffe-python python2.7 --iterations 3

The exit status is 0 if both are the same, 1 if they differ, 2 if they cannot be compared.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import caffe_compat
from caffe_compat.cli.commands.record import SCRIPT
from caffe_compat.cli.devices import gpus_of, use_gpu
from caffe_compat.cli.flags import add_allow_unfilled, add_device, add_quiet, add_seed, add_weights, whole_number
from caffe_compat.cli.outputs import claim_files
from caffe_compat.cli.parser import CommandParser, UsageError
from caffe_compat.cli.start import CANNOT_COMPARE, DONE, FAILED, command_parser, run_program
from caffe_compat.convert.running_net import copy_file, describes_its_net, net_of_file, stored_preprocessing
from caffe_compat.data.preprocessing import Preprocessing
from caffe_compat.errors import CaffeError, MissingFeatureError, prefix_file
from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.net.settings import Surroundings
from caffe_compat.parity.compare import compare, random_seeds
from caffe_compat.parity.comparison import Comparison
from caffe_compat.parity.html_page import write_page
from caffe_compat.parity.inputs import given_inputs, random_inputs
from caffe_compat.parity.json_report import report_json
from caffe_compat.parity.measure import TOLERANCES, Tolerances
from caffe_compat.parity.model_files import (
    ENDINGS,
    ONNX_ENDING,
    is_model_file,
    record_model_file,
)
from caffe_compat.parity.provenance import provenance_of
from caffe_compat.parity.pycaffe_process import PycaffeProcess
from caffe_compat.parity.recording import Recording, read_recording
from caffe_compat.parity.sides import PRECISION_OF, SIDES
from caffe_compat.parity.text_table import summary_lines, table_lines
from caffe_compat.parity.training import compare_training
from caffe_compat.parity.training_runs import record_training, take_weights, training_solver
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.file_bytes import replacing
from caffe_compat.proto.read import read_net, read_solver
from caffe_compat.solvers.solver_nets import copy_weights
from caffe_compat.srn.prediction.filled_weights import is_caffes, require_filled

NO_WEIGHTS = "no --weights were given: both sides ran with what fillers drew, which says little about trained weights"


def parser() -> CommandParser:
    """The command line."""
    result = command_parser(
        "verify",
        __doc__ or "",
        "caffe-compat verify --prototxt deploy.prototxt --weights net.caffemodel --against opencv",
    )
    what = result.add_mutually_exclusive_group()
    what.add_argument(
        "--prototxt", "--model", metavar="FILE", help="the net to run (default: as the weights file says)"
    )
    what.add_argument("--solver", metavar="FILE", help="the solver to train with, instead of one run of a net")
    add_weights(result, ".caffemodel, .safetensors or .pt to load; several, separated by commas, in turn")
    other = result.add_mutually_exclusive_group(required=True)
    other.add_argument(
        "--against", metavar="SIDE",
        help=f"{', '.join(SIDES)}, a dump by record_blobs.py (.npz), or a model's file ({', '.join(ENDINGS)})",
    )  # fmt: skip
    other.add_argument("--pycaffe-python", metavar="PATH", help="a Python that has a pycaffe")
    result.add_argument("--caffe-root", help="that pycaffe's folder, if its `import caffe` does not find it")
    result.add_argument("--phase", choices=("TRAIN", "TEST"), default="TEST", help="default: TEST")
    result.add_argument(
        "--input", action="append", default=[], metavar="BLOB=FILE", help="an array (.npy) or a picture for an input"
    )
    add_seed(result, "seed of the random inputs that are used where none are given", default=1)
    result.add_argument("--backward", action="store_true", help="compare gradients, too")
    result.add_argument("--iterations", type=whole_number(1), default=1, metavar="N", help="how many, of --solver")
    result.add_argument(
        "--allow-python-layers", "--allow_python_layers", action="store_true",
        help="let Python layers of the net run the code that they name",
    )  # fmt: skip
    add_device(result)
    add_quiet(result, "print the result without the table")
    add_allow_unfilled(result)
    result.add_argument("--tolerance", type=float, help="of one layer's relative error (default: 3e-5; bf16: 3e-2)")
    result.add_argument("--only-wrong", action="store_true", help="leave layers that agree out of the table")
    result.add_argument("--json", type=Path, help="write all figures")
    result.add_argument("--html", type=Path, help="write a page with a picture of the net")
    return result


def tolerances_for(arguments: argparse.Namespace) -> Tolerances:
    """Returns the tolerances for the other side's precision, with the user's own for one layer."""
    found = TOLERANCES[PRECISION_OF.get(arguments.against, "float32")]
    return found if arguments.tolerance is None else replace(found, layer=arguments.tolerance)


def pycaffe(arguments: argparse.Namespace) -> PycaffeProcess:
    """Returns the Python that has a pycaffe."""
    options = ["--caffe-root", arguments.caffe_root] if arguments.caffe_root else []
    return PycaffeProcess(arguments.pycaffe_python, str(SCRIPT), options)


def record_other(net: Net, arguments: argparse.Namespace) -> Recording:
    """Returns the recording of the other side's run of the net."""
    if arguments.against and arguments.against not in SIDES and not is_model_file(arguments.against):
        return read_dump(arguments.against)
    images = images_of(net, arguments)
    inputs = {**random_inputs(net, arguments.seed, images), **given_inputs(net, arguments.input, images)}
    seeds = random_seeds(net, arguments.seed) if arguments.backward else None
    if arguments.pycaffe_python:
        return pycaffe(arguments).record_net(arguments.prototxt, arguments.weights, arguments.phase, inputs, seeds)
    if is_model_file(arguments.against):
        return record_model_file(net, inputs, arguments.against, seeds)
    return SIDES[arguments.against](net, inputs, seeds)


def images_of(net: Net, arguments: argparse.Namespace) -> Preprocessing | None:
    """Returns what the net expects of an image, as the prototxt says, or else the weights files."""
    files = [file.strip() for file in (arguments.weights or "").split(",")]
    known = [file for file in files if file and not file.endswith(ONNX_ENDING)]
    return stored_preprocessing(net, *known, prototxt=arguments.prototxt)


def read_dump(path: str) -> Recording:
    """A dump, or the names of what else may stand there."""
    if not Path(path).exists():
        raise MissingFeatureError(
            f"--against {path}: expected one of {', '.join(SIDES)}, a dump's file or a model's ({', '.join(ENDINGS)}); "
            "found none of these"
        )
    return read_recording(path)


def make_net(arguments: argparse.Namespace) -> Net:
    """Our net; for --backward gradients are forced through it, as record_blobs.py does.

    Without a prototxt the weights file describes the net.
    """
    if arguments.prototxt is None:
        return net_of_file(arguments.weights)
    parameter = read_net(arguments.prototxt)
    parameter.force_backward |= arguments.backward
    try:
        return build_net(
            parameter,
            caffe_pb2.NetState(phase=arguments.phase),
            Surroundings(allow_python_layers=arguments.allow_python_layers),
        )
    except CaffeError as error:
        raise prefix_file(error, arguments.prototxt) from error


def verify_net(arguments: argparse.Namespace) -> tuple[Net, Comparison]:
    """Runs the net on both sides; returns our net and the comparison."""
    net = make_net(arguments)
    is_filled = arguments.weights and arguments.prototxt
    unfilled = load_weights(net, arguments) if is_filled else []
    other = record_other(net, arguments)
    if not arguments.weights:
        take_weights(net, other)
        if any(step.layer.blobs for step in net.steps):
            other.notes.append(NO_WEIGHTS)
    images = images_of(net, arguments)
    inputs = {
        **random_inputs(net, arguments.seed, images),
        **other.inputs,
        **given_inputs(net, arguments.input, images),
    }
    comparison = compare(net, other, inputs, tolerances_for(arguments), arguments.backward)
    comparison.from_fillers = NO_WEIGHTS in other.notes
    comparison.unfilled_layers = unfilled
    return net, comparison


def load_weights(net: Net, arguments: argparse.Namespace) -> list[str]:
    """Copies the files in turn; returns the layers that they leave to their fillers, a GraphError unless allowed."""
    files = [file.strip() for file in arguments.weights.split(",")]
    unfilled = require_filled(net, files, arguments.prototxt, arguments.allow_unfilled)
    for file in files:
        if is_caffes(file):
            copy_weights(net, file)
        else:
            copy_file(net, file, arguments.prototxt)
    return unfilled


def verify_training(arguments: argparse.Namespace) -> tuple[Net, Comparison]:
    """Trains some iterations on both sides; returns our net and the comparison."""
    parameter, weights = read_solver(arguments.solver), arguments.weights
    if arguments.pycaffe_python:
        other = pycaffe(arguments).record_training(arguments.solver, weights, arguments.iterations)
    elif arguments.against in ("fast", "fast-bf16", "exact"):
        first = training_solver(parameter, weights, None)
        start = record_training(first, 0, "the start")
        second = training_solver(parameter, weights, start, arguments.against)
        other = record_training(second, arguments.iterations, f"ours, {arguments.against} engine")
    elif arguments.against in SIDES:
        raise MissingFeatureError(f"{arguments.against} does not train; compare with a pycaffe, a dump, or an engine")
    else:
        other = read_dump(arguments.against)
    solver = training_solver(parameter, weights, other)
    return solver.net, compare_training(solver, other, tolerances_for(arguments))


def write_reports(net: Net, comparison: Comparison, arguments: argparse.Namespace, command: Sequence[str]) -> None:
    """The files that were asked for; `command` is the command line that they state."""
    if not (arguments.json or arguments.html):
        return
    about = provenance_of(
        command, caffe_compat.__version__, files_of(arguments), arguments.seed, tolerances_for(arguments)
    )
    if arguments.json:
        with replacing(arguments.json) as beside:
            report = report_json(comparison, net.name, about)
            beside.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if arguments.html:
        write_page(net, comparison, arguments.html, about)


def files_of(arguments: argparse.Namespace) -> list[str]:
    """The files that the command line names."""
    weights = [file.strip() for file in (arguments.weights or "").split(",")]
    inputs = [text.rpartition("=")[2] for text in arguments.input]
    return [name for name in (arguments.prototxt, arguments.solver, *weights, arguments.against, *inputs) if name]


def put_onnx_second(arguments: argparse.Namespace) -> None:
    """Exchanges an ONNX file in --weights and a file that describes its net in --against: the latter runs here."""
    first, second = arguments.weights or "", arguments.against or ""
    if first.endswith(ONNX_ENDING) and describes_its_net(second) and not (arguments.prototxt or arguments.solver):
        arguments.weights, arguments.against = second, first


def require_net(arguments: argparse.Namespace) -> None:
    """Refuses a command line that tells no net."""
    if arguments.prototxt or arguments.solver:
        return
    if (arguments.weights or "").endswith(ONNX_ENDING):
        raise UsageError(
            f"{arguments.weights}: an ONNX file is the other side of a comparison: give it as --against, and the net "
            "that it was made from as --prototxt and --weights, or as --weights of a .safetensors or .pt file"
        )
    if not (arguments.weights and describes_its_net(arguments.weights)):
        raise UsageError(
            "expected --prototxt, --solver, or --weights of a file that describes its net (.safetensors, .pt); got none"
        )
    if arguments.pycaffe_python:
        raise UsageError("--pycaffe-python needs the net as --prototxt; convert the weights --to prototxt first")


def run(arguments: argparse.Namespace, command: Sequence[str]) -> int:
    """Runs both sides, compares, reports; 0 if they agree, 1 if they differ."""
    logging.getLogger("caffe_compat").setLevel(logging.ERROR)
    claim_files([arguments.json, arguments.html])
    for gpu in gpus_of(arguments.device)[:1]:
        use_gpu(gpu)
    put_onnx_second(arguments)
    require_net(arguments)
    net, comparison = verify_training(arguments) if arguments.solver else verify_net(arguments)
    write_reports(net, comparison, arguments, command)
    table = [] if arguments.quiet else [*table_lines(comparison, arguments.only_wrong), ""]
    print(*table, *summary_lines(comparison), sep="\n")
    return DONE if comparison.agrees else FAILED


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    command = ["caffe-compat", "verify", *(sys.argv[1:] if argv is None else argv)]
    return run_program(parser(), partial(run, command=command), argv, failed=CANNOT_COMPARE)

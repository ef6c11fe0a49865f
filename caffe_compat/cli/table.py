"""The table of commands."""

import sys
from pathlib import Path
from typing import NamedTuple


class Command(NamedTuple):
    """One command: its line in the list, and the name of the program in tools/ that does the same, if there is one."""

    summary: str
    tool: str = ""


#: Caffe's own commands.
CAFFES = {
    "train": Command("train or finetune a model"),
    "test": Command("score a model"),
    "time": Command("benchmark model execution time"),
    "device_query": Command("show GPU diagnostic information"),
    "upgrade_net_proto_text": Command("upgrade a net's prototxt to today's format"),
    "upgrade_net_proto_binary": Command("upgrade a .caffemodel to today's format"),
    "upgrade_solver_proto_text": Command("upgrade a solver's prototxt to today's format"),
    "convert_imageset": Command("write images and labels into an LMDB or LevelDB"),
    "compute_image_mean": Command("compute the mean image of an LMDB or LevelDB"),
    "extract_features": Command("write the values of a net's blobs into databases"),
}
#: What is beyond Caffe.
OURS = {
    "generate": Command("write every net and solver of the paper as Caffe files"),
    "convert": Command("convert trained nets to and from Caffe's formats", "convert_caffemodel"),
    "verify": Command("compare a net layer by layer with another runtime", "verify_parity"),
    "summary": Command("print a net's layers with shapes, costs and totals"),
    "view": Command("write a page to explore a net in a browser"),
    "predict": Command("save a net's raw scores for the images of a list", "predict"),
    "evaluate": Command("compute mAP, F1, precision and recall of raw scores", "evaluate"),
    "prepare": Command("write a dataset in the released file layout", "prepare_dataset"),
    "train-stages": Command("train a model in the paper's four steps", "train_stages"),
    "visualize": Command("draw attention maps over images", "visualize_attention"),
    "parse-log": Command("turn a training log into two tables", "parse_log"),
    "plot-log": Command("draw curves of training logs", "plot_training_log"),
    "create-label-lmdb": Command("write label vectors into an LMDB", "create_label_lmdb"),
    "record": Command("record every blob of a run inside another pycaffe"),
    "run": Command("run an unmodified pycaffe script"),
    "demo": Command("generate, train, evaluate and check a small SRN", "demo"),
    "reproduce": Command("train and measure every row of a table of the paper or of the study of its mechanism"),
    "doctor": Command("check Python, torch, OpenCV and the other parts, and say what to do"),
    "completion": Command("print a completion script for a shell"),
}
#: Every command; the module in caffe_compat.cli.commands has its name, with underscores.
COMMANDS = CAFFES | OURS
#: Programs of tools/ that are a command, and that command.
TOOLS = {command.tool: name for name, command in COMMANDS.items() if command.tool}


def module_name(command: str) -> str:
    """Returns the name of the module that holds a command."""
    return f"caffe_compat.cli.commands.{command.replace('-', '_')}"


def program_name(command: str) -> str:
    """Returns the name under which the user called a command: `evaluate.py` or `caffe-compat evaluate`."""
    called = Path(sys.argv[0])
    return called.name if TOOLS.get(called.stem) == command else f"caffe-compat {command}"

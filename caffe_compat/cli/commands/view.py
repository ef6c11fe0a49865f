"""Write a page on which a net can be explored in a browser; the page needs no network and no other file.

NET is a prototxt, a weights file, or a folder of the generator's with a model's training steps to switch between.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from caffe_compat.cli.commands.convert import add_input_shape
from caffe_compat.cli.flags import add_quiet
from caffe_compat.cli.outputs import claim_files
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.view.nets import read_shown_net
from caffe_compat.view.page import write_net_page
from caffe_compat.view.parity_report import read_parity

EXAMPLE = "caffe-compat view net.prototxt --weights net.caffemodel --out net.html"


def parser() -> CommandParser:
    """The command line."""
    result = command_parser("view", __doc__ or "", EXAMPLE)
    add = result.add_argument
    add("net", type=Path, metavar="NET", help="the net, or a folder of training steps")
    add("--weights", type=Path, help="trained weights: their histograms and first filters are shown")
    add("--parity", type=Path, help="a report of verify (--json): errors are shown as colours")
    add("--diff", type=Path, metavar="NET2", help="another net, shown beside the first with what differs")
    add_input_shape(result)
    add("--out", type=Path, help="the page to write (default: the net's name with .html, in this folder)")
    add_quiet(result)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Reads the nets and writes the page."""
    out = arguments.out or Path(f"{Path(os.path.realpath(arguments.net)).stem}.html")
    claim_files([out])
    given = dict(arguments.input_shape)
    net = read_shown_net(arguments.net, arguments.weights, given)
    other = read_shown_net(arguments.diff, given=given) if arguments.diff else None
    write_net_page(out, net, other, read_parity(arguments.parity) if arguments.parity else None)
    print(f"wrote {out}: open it in a browser")
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

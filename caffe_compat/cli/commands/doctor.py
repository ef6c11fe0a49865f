"""Check Python, torch, the GPU, OpenCV, protobuf, LMDB and the other parts, and say what to do where one is wrong."""

import argparse
import json
from collections.abc import Sequence

from caffe_compat.cli.installation import InstalledPart, examine
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, FAILED, command_parser, run_program
from caffe_compat.terminal.table import print_table


def parser() -> CommandParser:
    """The command line."""
    result = command_parser("doctor", __doc__ or "", "caffe-compat doctor")
    result.add_argument("--json", action="store_true", help="print the findings as JSON")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Prints what was found; the status is 1 where a needed part does not work."""
    findings = examine()
    if arguments.json:
        print(json.dumps([finding._asdict() for finding in findings], indent=1))
    else:
        print_table(("part", "found", "what to do"), [(each.part, each.found, each.cure) for each in findings])
        print(_verdict(findings))
    return FAILED if _broken(findings) else DONE


def _broken(findings: Sequence[InstalledPart]) -> list[str]:
    return [each.part for each in findings if each.cure and each.needed]


def _verdict(findings: Sequence[InstalledPart]) -> str:
    broken = _broken(findings)
    return f"to mend: {', '.join(broken)}" if broken else "everything that is needed works"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)

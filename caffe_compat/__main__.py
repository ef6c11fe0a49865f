"""`python -m caffe_compat COMMAND ...`; installed, `caffe-compat COMMAND ...`."""

import sys

from caffe_compat.cli.commands import run_command


def main() -> int:
    """Runs the command that the command line names; returns the exit status."""
    return run_command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

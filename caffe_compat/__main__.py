"""`python -m caffe_compat COMMAND ...`; installed, `caffe-compat COMMAND ...`."""

import sys

from caffe_compat.cli.start import start


def main() -> int:
    """Runs the command that the command line names; returns the exit status."""
    return start(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

"""`caffe-compat predict`, run from a clone."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from caffe_compat.cli.start import start_tool

if __name__ == "__main__":
    sys.exit(start_tool(__file__))

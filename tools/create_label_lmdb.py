"""Write a label LMDB from a label file and an image list, as the released SRN code does."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from caffe_compat.errors import CaffeError
from caffe_compat.srn.datasets.databases import write_label_database


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("labels", type=Path, help="one image a line: 0 or 1 for each label")
    result.add_argument("list", type=Path, help="the image list: 'name tags' a line, whose names become keys")
    result.add_argument("out", type=Path, help="the LMDB to make")
    return result


def main() -> int:
    """Write the database and say how long it is."""
    arguments = parser().parse_args()
    try:
        written = write_label_database(arguments.labels, arguments.list, arguments.out)
    except CaffeError as error:
        print(f"create_label_lmdb.py: {error}", file=sys.stderr)
        return 1
    print(f"Total # of item in label lmdb: {written}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

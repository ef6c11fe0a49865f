"""Turn a training log, ours or Caffe's, into two tables: LOG.train and LOG.test."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from caffe_compat.errors import CaffeError
from caffe_compat.logs.parsing.csv_files import write_tables
from caffe_compat.logs.parsing.reader import read_log


def one_character(text: str) -> str:
    """What a CSV file can have between its columns."""
    if len(text) != 1:
        raise argparse.ArgumentTypeError(f"expected one character, found '{text}'")
    return text


def parser() -> argparse.ArgumentParser:
    """Caffe's command line."""
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("logfile_path", type=Path, help="the log of a training run")
    result.add_argument("output_dir", type=Path, help="the folder to write to; made if needed")
    result.add_argument("--verbose", action="store_true", help="say what was written")
    result.add_argument("--delimiter", type=one_character, default=",", help="between columns (default: '%(default)s')")
    return result


def main() -> int:
    """Read, write."""
    arguments = parser().parse_args()
    try:
        log = read_log(arguments.logfile_path)
        written = write_tables(log, arguments.output_dir, arguments.logfile_path.name, arguments.delimiter)
    except (CaffeError, OSError) as error:
        print(f"parse_log.py: {error}", file=sys.stderr)
        return 1
    if arguments.verbose:
        print(*(f"Wrote {path}" for path in written), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

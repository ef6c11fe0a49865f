"""Draw a curve of one or several training logs, ours or Caffe's."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from caffe_compat.errors import CaffeError
from caffe_compat.logs.parsing.charts import CHARTS, write_chart
from caffe_compat.logs.parsing.reader import read_log


def parser() -> argparse.ArgumentParser:
    """Caffe's command line."""
    charts = "\n".join(f"  {number}: {quantity} vs. {axis}" for number, (quantity, axis) in enumerate(CHARTS))
    result = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"chart types:\n{charts}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("chart_type", type=int, choices=range(len(CHARTS)), help="see below")
    result.add_argument("png", type=Path, help="where to save the picture")
    result.add_argument("logs", type=Path, nargs="+", help="logs of training runs")
    return result


def main() -> int:
    """Read, draw."""
    arguments = parser().parse_args()
    try:
        logs = [(path.stem, read_log(path)) for path in arguments.logs]
        write_chart(arguments.chart_type, logs, arguments.png)
    except (CaffeError, OSError) as error:
        print(f"plot_training_log.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

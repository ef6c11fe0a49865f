"""Generate, train, evaluate and check a small SRN and its baseline, and write a report, in minutes."""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from caffe_compat.errors import CaffeError
from caffe_compat.experiments.demo.demo import Request, run_demo
from caffe_compat.experiments.demo.recipe import FULL, TINY

OUT = Path(__file__).resolve().parents[1] / "out" / "demo"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--out", type=Path, default=OUT, help="where the report goes (default: out/demo)")
    result.add_argument(
        "--seeds", type=int, default=1, help="how often, with other data and first weights (default: 1)"
    )
    result.add_argument("--control", action="store_true", help="train both on data without the position rule as well")
    result.add_argument("--tiny", action="store_true", help="seconds instead of minutes: shows that all stages work")
    return result


def main() -> int:
    """Run the demo; every line says how many seconds have passed."""
    arguments = parser().parse_args()
    started = time.monotonic()
    request = Request(arguments.out.resolve(), TINY if arguments.tiny else FULL, arguments.seeds, arguments.control)
    try:
        run_demo(request, lambda line: print(f"[{time.monotonic() - started:4.0f} s] {line}", flush=True))
    except (CaffeError, OSError) as error:
        print(f"demo.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo.py: interrupted; run it again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

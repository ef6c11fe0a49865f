"""How long does a large LMDB take to open, and to find records in a random order?

    python benchmarks/large_lmdb.py [--records 1000000] [--folder DIR]

Writes label records (81 floats) under convert_imageset's keys, and once more under keys that do not count; prints the
seconds to open, to the first shuffled batch, and the microseconds a record after that.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lmdb
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from caffe_compat.data.draws import Order
from caffe_compat.data.sources.datums import array_to_datum, record_key
from caffe_compat.data.sources.lmdb import Lmdb

BATCH = 96
BATCHES = 200


def write(path: Path, records: int, key: Callable[[int], bytes]) -> str:
    """An LMDB of equal records, put in key order."""
    value = array_to_datum(np.zeros((81, 1, 1), np.float32), 0).SerializeToString()
    environment = lmdb.open(str(path), map_size=2**36, sync=False)
    with environment.begin(write=True) as transaction:
        for number in range(records):
            transaction.put(key(number), value, append=True)
    environment.close()
    return str(path)


def measure(path: str, shuffle: bool) -> tuple[float, float, float]:
    """Seconds to open, seconds to the first batch, microseconds a record over the following batches."""
    start = time.perf_counter()
    database = Lmdb(path, "benchmark")
    opened = time.perf_counter()
    order = Order(len(database), 1, shuffle)
    read(database, order, 0)
    first = time.perf_counter()
    for batch in range(1, BATCHES):
        read(database, order, batch)
    each = (time.perf_counter() - first) / (BATCH * (BATCHES - 1))
    database.close()
    return opened - start, first - start, each * 1e6


def read(database: Lmdb, order: Order, batch: int) -> None:
    """Finds the records of one batch."""
    for ordinal in order.ordinals(batch * BATCH, BATCH):
        database.record(ordinal)


def main() -> None:
    """Writes, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", help="where to write; a temporary folder by default")
    arguments = parser.parse_args()
    print(f"{arguments.records} records{'':16s}open s   first batch s   us a record")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        numbered = write(Path(folder) / "numbered", arguments.records, lambda number: record_key(number, "image.jpg"))
        other = write(Path(folder) / "other", arguments.records, lambda number: b"image%08d" % number)
        for name, path, shuffle in (
            ("numbered keys, in order", numbered, False),
            ("numbered keys, shuffled", numbered, True),
            ("other keys, shuffled", other, True),
        ):
            opened, first, each = measure(path, shuffle)
            print(f"{name:30s}{opened:8.3f}{first:16.3f}{each:14.1f}")


if __name__ == "__main__":
    main()

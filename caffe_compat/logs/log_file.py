"""Writes the log to a file as well."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from caffe_compat.errors import SolverError
from caffe_compat.logs.glog import TERMINAL, GlogFormatter


@contextmanager
def log_to_file(path: str) -> Iterator[None]:
    """Appends log lines to this file while the block runs; "" means no file."""
    if not path:
        yield
        return
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise SolverError(
            f"{path}: cannot write the log: {error.strerror}; name a file in a folder that exists"
        ) from error
    handler.setFormatter(GlogFormatter())
    handler.addFilter(lambda record: record.name != TERMINAL)
    logging.getLogger("caffe_compat").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("caffe_compat").removeHandler(handler)
        handler.close()

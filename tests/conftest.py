"""What every test starts from and leaves behind."""

import logging
import signal
from collections.abc import Iterator

import pytest

# A shell that starts the tests in the background makes them ignore SIGINT, and so every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _logger_as_it_was() -> Iterator[None]:
    """Programs run inside tests set up the log; the next test must not inherit that."""
    logger = logging.getLogger("caffe_compat")
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)
    logger.propagate = propagate

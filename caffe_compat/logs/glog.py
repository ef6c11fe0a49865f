"""Log lines as Caffe's glog writes them: `I0520 23:00:23.213491  9848 solver.cpp:280] Iteration 0, lr = 0.01`.

Programs call `log_to_stderr`, and `log_to_file` (log_file.py) to keep them; as a library the package only hands its
records to the logger "caffe_compat".
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tqdm import tqdm

logger = logging.getLogger("caffe_compat")


_SEVERITIES = {logging.DEBUG: "I", logging.INFO: "I", logging.WARNING: "W", logging.ERROR: "E", logging.CRITICAL: "F"}
#: Programs that read Caffe's logs look for its file names: ours, where they are not Caffe's own.
_CAFFE_FILES = {
    **dict.fromkeys(("display", "testing", "solver_nets", "snapshot", "prefix", "sidecar"), "solver"),
    **dict.fromkeys(("learning_rate", "updater"), "sgd_solver"),
    **dict.fromkeys(("start", "train", "test", "time", "device_query", "flags", "devices"), "caffe"),
    **dict.fromkeys(("build", "weights"), "net"),
    **dict.fromkeys(("read", "upgrade_file"), "upgrade_proto"),
}


#: The variable that says how much is logged, in glog's own spelling.
LEAST_LEVEL = "GLOG_minloglevel"
#: Loggers below "caffe_compat": of records that a terminal leaves out, and of those that only a terminal shows.
DUMP, TERMINAL = "caffe_compat.dump", "caffe_compat.terminal"
logging.getLogger(TERMINAL).addFilter(lambda record: sys.stderr.isatty())


class GlogFormatter(logging.Formatter):
    """Puts severity, month and day, time, thread and place before a message."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%m%d %H:%M:%S", time.localtime(record.created))
        microseconds = int(record.created % 1 * 1e6)
        severity = _SEVERITIES.get(record.levelno, "I")
        file = _CAFFE_FILES.get(record.module, record.module)
        thread = threading.get_native_id()
        return f"{severity}{moment}.{microseconds:06d} {thread:5d} {file}.cpp:{record.lineno}] {record.getMessage()}"


class _StderrHandler(logging.Handler):
    """Writes above a progress bar, where one is shown.

    A line that cannot be written is lost: a full disk or a closed terminal is no reason to end a training.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == DUMP and sys.stderr.isatty():
            return
        with suppress(OSError):
            tqdm.write(self.format(record), file=sys.stderr)
            sys.stderr.flush()


def log_to_stderr(level: int = logging.INFO) -> None:
    """Sends the package's records to stderr in glog's form; the second call only sets the level."""
    logger = logging.getLogger("caffe_compat")
    logger.setLevel(level)
    if not any(isinstance(handler, _StderrHandler) for handler in logger.handlers):
        handler = _StderrHandler()
        handler.setFormatter(GlogFormatter())
        logger.addHandler(handler)


@contextmanager
def only_warnings_on_stderr() -> Iterator[None]:
    """While the block runs, stderr gets warnings and errors only; files of the log get all records."""
    handlers = [each for each in logging.getLogger("caffe_compat").handlers if isinstance(each, _StderrHandler)]
    levels = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)


def environment_level() -> int:
    """Returns the level of GLOG_minloglevel: 0 info, 1 warnings, 2 errors, 3 fatal errors."""
    levels = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
    asked = os.environ.get(LEAST_LEVEL, "0")
    return levels[min(int(asked), 3)] if asked.isdigit() else logging.INFO

"""The lines of a Caffe training log that carry numbers, as rows (solver.cpp and sgd_solver.cpp write them)."""

import math
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from caffe_compat.errors import DataError, FormatError
from caffe_compat.logs.parsing.clock import LogClock

# At a line's start or right after glog's prefix: "MultiStep Status: Iteration N, step = s" counts nothing.
_ITERATION = r"(?:^|\] )Iteration (?P<iteration>\d{1,18})"
_DECIMAL = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
# The C library of older Visual Studios writes 1.#INF, 1.#QNAN and -1.#IND.
_NUMBER = rf"(?P<value>[-+]?(?:1\.#\w+|{_DECIMAL}|nan|inf))"
#: Between an iteration and its loss: the speed (BVLC), and the epochs (NVIDIA).
_SPEED = r"(?: \([^)]*\))?(?:, [\d.]+/[\d.]+ep)?"
#: What mpirun puts before each process's lines (Intel).
_RANK = re.compile(r"\[(?P<rank>\d+)\] (?=[IWEF]\d)")
_SOLVING = re.compile(r"(?:^|\] )Solving ")
_TESTING = re.compile(_ITERATION + r", Testing net \(#(?P<net>\d{1,9})\)")
_LOSS = re.compile(_ITERATION + _SPEED + r", loss = " + _NUMBER)
_RATE = re.compile(_ITERATION + r", lr = " + _NUMBER)
#: `metric` stands in lines of this program alone: mAP, F1-C and F1-O of a test.
_OUTPUT = re.compile(r"(?P<phase>Train|Test) net (?:output|metric) #\d+: (?P<name>\S+) = " + _NUMBER)

#: Byte order marks and what they say.
ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
LONGEST_LINE = 1 << 16
#: Letters of a line that an error shows.
SHOWN = 60


@dataclass
class Row:
    """What a log says of one net at one iteration."""

    iteration: int
    seconds: float  # since training started
    learning_rate: float  # of this iteration, or the last one named before; NaN where none is named
    outputs: dict[str, float] = field(default_factory=dict)  # in the log's order


@dataclass
class TrainingLog:
    """All rows in the log's order; after a resume, iterations may come a second time."""

    train: list[Row] = field(default_factory=list)
    losses: list[Row] = field(default_factory=list)  # one output, "loss": the mean over average_loss iterations
    tests: dict[int, list[Row]] = field(default_factory=dict)  # by number of the test net

    def series(self) -> list[list[Row]]:
        """The rows of each net, and the losses."""
        return [self.train, self.losses, *self.tests.values()]


def read_log(path: Path) -> TrainingLog:
    """The rows of a log of this program or of a Caffe: BVLC's, NVIDIA's, Intel's, a Windows build, the SRN fork.

    Of a log of several processes the first one's lines count. UTF-16, as PowerShell writes it, is read as well.
    Raises DataError if the file cannot be read, FormatError if nothing in it is a log.
    """
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: expected the file of a log, found a folder, pipe or device; name the file")
    try:
        reader = _Reader(LogClock(_year(path)))
        with path.open(encoding=_encoding(path), errors="replace") as lines:
            for line in iter(lambda: lines.readline(LONGEST_LINE), ""):
                reader.read(line)
    except OSError as error:
        raise DataError(f"{path}: cannot read the log ({error.strerror}); check the path") from error
    if not any(reader.log.series()):
        raise FormatError(
            f"{path}: expected a training log with lines 'Iteration N, loss = L' or 'Test net output #i: name = v', "
            f"found none in {_described(reader)}; give the log of a run that got as far as its first display or test"
        )
    return reader.log


def _encoding(path: Path) -> str:
    """Returns the encoding of a log, by its byte order mark or by zeros between ASCII letters."""
    with path.open("rb") as file:
        start = file.read(64)
    for mark, encoding in ENCODINGS.items():
        if start.startswith(mark):
            return encoding
    if start[1::2] and not any(start[1::2]):
        return "utf-16-le"
    return "utf-16-be" if start[::2] and not any(start[::2]) else "utf-8"


def _described(reader: "_Reader") -> str:
    """Returns how long the file is and how it starts, for an error message."""
    start = "".join(letter if letter.isprintable() else "?" for letter in reader.first_line.strip())
    return f"{reader.lines:,} lines, the first of which is '{start[:SHOWN]}{'...' if len(start) > SHOWN else ''}'"


def latest_rows(rows: list[Row]) -> list[Row]:
    """Returns the rows without those that a resumed run repeated from an earlier snapshot."""
    kept: list[Row] = []
    for row in rows:
        while kept and kept[-1].iteration >= row.iteration:
            kept.pop()
        kept.append(row)
    return kept


def _year(path: Path) -> int:
    """Returns the year in which the file was written; the current year where the file's time is impossible."""
    seconds = path.stat().st_mtime
    try:
        return datetime.fromtimestamp(seconds).year
    except (ValueError, OverflowError, OSError):
        return datetime.now().year


def _value(text: str) -> float:
    """Returns a number that Caffe printed; Windows prints `1.#INF`, `1.#QNAN` and `-1.#IND`."""
    sign, hash_mark, name = text.partition("#")
    if not hash_mark:
        return float(text)
    return (-math.inf if sign.startswith("-") else math.inf) if name.startswith("INF") else math.nan


class _Reader:
    """Goes through the lines once; each kind of line has a method."""

    def __init__(self, clock: LogClock) -> None:
        self.clock = clock
        self.log = TrainingLog()
        self.rate = math.nan
        self.started = False
        self.rows_of_phase: dict[str, list[Row]] = {"Train": self.log.train, "Test": []}
        self.open_row: dict[str, Row] = {}
        self.rank: str | None = None  # of the process whose lines count
        self.lines = 0
        self.first_line = ""

    def read(self, line: str) -> None:
        self.first_line = self.first_line or line
        self.lines += 1
        if prefix := _RANK.match(line):
            self.rank = self.rank or prefix["rank"]
            if prefix["rank"] != self.rank:
                return
            line = line[prefix.end() :]
        self.clock.read(line)
        for pattern, method in self.METHODS:
            if match := pattern.search(line):
                method(self, match)
                return

    def solving(self, match: re.Match[str]) -> None:
        if not self.started:  # a resumed run in the same file goes on counting
            self.clock.restart()
        self.started = True

    def testing(self, match: re.Match[str]) -> None:
        self.rows_of_phase["Test"] = self.log.tests.setdefault(int(match["net"]), [])
        self.open_row["Test"] = self.new_row(match)

    def loss(self, match: re.Match[str]) -> None:
        self.open_row["Train"] = self.new_row(match)
        row = self.new_row(match)
        row.outputs["loss"] = _value(match["value"])
        self.log.losses.append(row)

    def learning_rate(self, match: re.Match[str]) -> None:
        """Sets the rate of the rows of this iteration. Rows before the first rate get the first rate.

        Caffe prints an iteration's rate after its test and display.
        """
        first, self.rate = math.isnan(self.rate), _value(match["value"])
        for rows in self.log.series():
            for row in rows if first else rows[-1:]:
                if first or row.iteration == int(match["iteration"]):
                    row.learning_rate = self.rate

    def output(self, match: re.Match[str]) -> None:
        """A row counts from its first output on; a blob of several numbers gives name, name[1], name[2] ..."""
        row = self.open_row.get(match["phase"])
        if row is None:
            return  # the log starts in the middle of a row
        if not row.outputs:
            row.seconds = self.clock.seconds()  # as in Caffe's parser
            self.rows_of_phase[match["phase"]].append(row)
        name = match["name"]
        repeats = sum(known == name or known.startswith(f"{name}[") for known in row.outputs)
        row.outputs[f"{name}[{repeats}]" if repeats else name] = _value(match["value"])

    def new_row(self, match: re.Match[str]) -> Row:
        return Row(int(match["iteration"]), self.clock.seconds(), self.rate)

    METHODS = (
        (_OUTPUT, output),
        (_LOSS, loss),
        (_RATE, learning_rate),
        (_TESTING, testing),
        (_SOLVING, solving),
    )

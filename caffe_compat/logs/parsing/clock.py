"""When a log line was written: glog's prefix, `I0520 23:00:23.213491  9848 file.cpp:280] `."""

import calendar
import re
from datetime import datetime

# glog writes month and day; since 0.6 the year stands before them (I20260520).
PREFIX = re.compile(r"[IWEF](\d{4})?(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{1,6})\d* ")


class LogClock:
    """Turns the time stamps of one log into seconds, in the log's order."""

    def __init__(self, year: int) -> None:
        """`year` is that of the first line, for prefixes that do not say it."""
        self.year = year
        self.last: datetime | None = None
        self.start: datetime | None = None

    def read(self, line: str) -> bool:
        """Take the time of a line; False if it has none, and the last one stands."""
        match = PREFIX.match(line)
        if match is None:
            return False
        year, *numbers, fraction = match.groups()
        month, day, hour, minute, second = map(int, numbers)
        if year is None and self.last is not None and month < self.last.month:
            self.year += 1  # the training ran over a new year
        year = int(year) if year else self.year
        if (month, day) == (2, 29) and not calendar.isleap(year):
            self.year = year = next(leap for leap in range(year, 0, -1) if calendar.isleap(leap))
        self.last = datetime(year, month, day, hour, minute, second, int(fraction.ljust(6, "0")))
        self.start = self.start or self.last
        return True

    def restart(self) -> None:
        """Count seconds from the last time read: training starts here."""
        self.start = self.last

    def seconds(self) -> float:
        """Since the start; NaN where the log has no time stamps."""
        if self.last is None or self.start is None:
            return float("nan")
        return (self.last - self.start).total_seconds()

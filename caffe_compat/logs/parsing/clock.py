"""When a log line was written: glog's prefix, `I0520 23:00:23.213491  9848 file.cpp:280] `."""

import calendar
import re
from datetime import datetime

# glog writes month and day; since 0.6 the year stands before them (I20260520).
PREFIX = re.compile(r"[IWEF](\d{4})?(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{1,6})\d* ")


class LogClock:
    """Turns the time stamps of one log into seconds, in the log's order."""

    def __init__(self, year: int) -> None:
        """`year` is the year of the first line, for time stamps without a year."""
        self.year = year
        self.last: datetime | None = None
        self.start: datetime | None = None

    def read(self, line: str) -> bool:
        """Takes the time of a line; False if it has none, or one that no clock shows, and the last time stands."""
        match = PREFIX.match(line)
        if match is None:
            return False
        year, *numbers, fraction = match.groups()
        month, day, hour, minute, second = map(int, numbers)
        ran_over_new_year = year is None and self.last is not None and month < self.last.month
        moment = _moment(
            int(year) if year else self.year + ran_over_new_year, month, day, (hour, minute, second), fraction
        )
        if moment is None:
            return False
        self.last = moment
        self.year = moment.year if year is None else self.year
        self.start = self.start or self.last
        return True

    def restart(self) -> None:
        """Counts seconds from the last time read: training starts here."""
        self.start = self.last

    def seconds(self) -> float:
        """Returns the seconds since the start; NaN where the log has no time stamps."""
        if self.last is None or self.start is None:
            return float("nan")
        return (self.last - self.start).total_seconds()


def _moment(year: int, month: int, day: int, time: tuple[int, int, int], fraction: str) -> datetime | None:
    """The moment of a stamp, or None where no clock shows it; a 29 February is one of the last leap year."""
    if (month, day) == (2, 29) and not calendar.isleap(year):
        year = next((leap for leap in range(year, 0, -1) if calendar.isleap(leap)), year)
    try:
        return datetime(year, month, day, *time, int(fraction.ljust(6, "0")))
    except ValueError:
        return None

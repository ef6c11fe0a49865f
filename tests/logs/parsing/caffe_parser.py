"""What Caffe's own parse_log.py and extract_seconds.py find in a log: their patterns, their year-less clock."""

import re
from datetime import datetime

ITERATION = re.compile(r"Iteration (\d+)")
OUTPUT = {
    "train": re.compile(r"Train net output #(\d+): (\S+) = ([\.\deE+-]+)"),
    "test": re.compile(r"Test net output #(\d+): (\S+) = ([\.\deE+-]+)"),
}
RATE = re.compile(r"lr = ([-+]?[0-9]*\.?[0-9]+([eE]?[-+]?[0-9]+)?)")


def time_of(line, year=2016):
    """Fixed places in the first two words; ValueError or IndexError for any other line."""
    day, clock = line.split()[:2]
    dot = clock.rindex(".")
    hour, minute, second = (int(part) for part in clock[:dot].split(":"))
    return datetime(year, int(day[1:3]), int(day[3:]), hour, minute, second, int(clock[dot + 1 :]))


def outputs_by_iteration(lines):
    """For each phase {iteration: {name: value}}, and the rates in order; the log must hold a line with 'Solving'."""
    lines = iter(lines)
    start = last = next(time_of(line) for line in lines if "Solving" in line)
    found: dict[str, dict[int, dict[str, float]]] = {"train": {}, "test": {}}
    rates, iteration = [], None
    for line in lines:
        if match := ITERATION.search(line):
            iteration = int(match[1])
        if iteration is None:
            continue
        last = time_of(line, last.year + (time_of(line).month < last.month))
        assert last >= start
        rates += [float(match[1]) for match in [RATE.search(line)] if match]
        for phase, pattern in OUTPUT.items():
            if match := pattern.search(line):
                found[phase].setdefault(iteration, {})[match[2]] = float(match[3])
    return found["train"], found["test"], rates

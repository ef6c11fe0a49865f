"""What a log says, without what glog puts in front."""

import re


def messages(log: str) -> list[str]:
    """The lines of a log without severity, time, thread and place."""
    return [re.sub(r"^[IWEF]\d+ \S+ +\d+ \S+\] ", "", line) for line in log.splitlines()]

import json
import math
import os
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import DataError, FormatError
from caffe_compat.srn.watching.event_file import EventFile, read_run
from caffe_compat.srn.watching.events import End, NetTested, Shown, Start


def start(iteration=0):
    return Start(1.0, iteration, 9, "net", 24, {"device": "CPU"}, ["cat", "dog"])


def shown(iteration, loss=0.5):
    return Shown(2.0, iteration, loss, 0.01, None, 0.25, {"loss": loss})


def a_test(iteration):
    return NetTested(3.0, iteration, 0, 0.7, {"loss": 0.7}, {"mAP": 0.5}, {"y": [0.25, math.nan]})


def written(path, *events):
    file = EventFile(path)
    for event in events:
        file.write(event)
    file.close()
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    events = [start(), shown(0), a_test(0), shown(4), End(5.0, 9, "done")]
    run = read_run(written(tmp_path / "new folder" / "metrics.jsonl", *events))
    assert run.starts == [start()]
    assert run.displays == [shown(0), shown(4)]
    assert repr(run.tests) == repr([a_test(0)])  # NaN differs from itself
    assert run.end == End(5.0, 9, "done")


def test_every_line_is_json_that_any_reader_takes(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", start(), shown(1, math.inf), a_test(1))
    lines = [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "display", "test"]
    assert lines[1]["loss"] is None
    assert lines[2]["ap"] == {"y": [0.25, None]}


def test_a_resumed_run_replaces_what_it_goes_over_again(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", start(), shown(0), shown(4), a_test(4), shown(6), End(4.0, 6, "stopped"))
    run = read_run(written(path, start(4), shown(4, 0.25)))
    assert [(event.iteration, event.loss) for event in run.displays] == [(0, 0.5), (4, 0.25)]
    assert run.tests == []
    assert run.end is None
    assert len(run.starts) == 2


def test_half_a_line_of_a_killed_run_is_left_out_and_removed_by_the_next(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", start(), shown(0))
    with path.open("a") as file:
        file.write('{"event": "disp')
    assert len(read_run(path).displays) == 1
    written(path, start(1), shown(1))
    assert [event.iteration for event in read_run(path).displays] == [0, 1]


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "7",
        '{"event": "party"}',
        '{"event": "end", "time": 1, "iteration": 2}',
        '{"event": "end", "time": 1, "iteration": 2, "reason": 3}',
        '{"event": "end", "time": 1, "iteration": true, "reason": "done"}',
        '{"event": "end", "time": 1, "iteration": 2, "reason": "done", "more": 1}',
        '{"event": "end", "time": "x", "iteration": 2, "reason": "done"}',
        '{"event": "end", "time": 1, "iteration": ' + "9" * 30 + ', "reason": "done"}',
        '{"event": "start", "time": 1, "iteration": 0, "max_iter": 1, "net": "n", "images_per_iteration": 1, '
        '"environment": {"device": [1]}}',
        "[" * 100_000,
        "\x00\ufffd",
    ],
)
def test_a_line_that_is_no_event(tmp_path: Path, line: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(FormatError, match="^" + re.escape(f"{path}, line 1: expected an event of a run")) as caught:
        read_run(path)
    assert len(str(caught.value)) < 300 + len(str(path))


def test_figures_beyond_what_a_chart_can_show_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", start(), shown(1, 1e300))
    assert math.isnan(read_run(path).displays[0].loss)


def test_files_without_events(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(FormatError, match=r"empty.jsonl: expected the events of a run, one JSON object per line"):
        read_run(tmp_path / "empty.jsonl")
    with pytest.raises(DataError, match=r"none.jsonl: cannot read the events \(No such file or directory\); check"):
        read_run(tmp_path / "none.jsonl")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"pipe: expected a file of events, found a pipe .*; check"):
        read_run(tmp_path / "pipe")


@pytest.mark.parametrize("seed", range(20))
def test_changed_bytes_are_an_event_or_one_line(tmp_path: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    content = bytearray(written(tmp_path / "m.jsonl", start(), shown(3), a_test(3)).read_bytes())
    for place in generator.integers(len(content), size=3):
        content[place] = generator.integers(256)
    (tmp_path / "m.jsonl").write_bytes(content)
    with suppress(FormatError):
        assert read_run(tmp_path / "m.jsonl").starts

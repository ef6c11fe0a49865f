import json
import math
import re
from pathlib import Path

import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.watching.event_file import EventFile
from caffe_compat.srn.watching.events import End, NetTested, Shown, Start
from caffe_compat.srn.watching.run_report import EVENTS, RunReport, write_report

START = Start(100.0, 0, 9000, "net <b>& co", 24, {"device": "CPU <i>"}, ["cat & <i>dog</i>", "bird"])
END = End(400.0, 9000, "done")


def shown(iteration):
    return Shown(100.0 + iteration, iteration, 2.0 / (1 + iteration), 0.01, 120.0 if iteration else None, 0.25)


def a_test(iteration, mean=0.5, net=0):
    return NetTested(101.0, iteration, net, 0.7, {"loss": 0.7}, {"mAP": mean}, {"y": [mean, math.nan]})


def page(folder, *events):
    file = EventFile(folder / EVENTS)
    for event in events:
        file.write(event)
    file.close()
    return write_report(folder).read_text()


def test_what_a_run_did_is_told_and_drawn(tmp_path: Path) -> None:
    html = page(tmp_path, START, shown(0), a_test(0, 0.25), shown(1000), a_test(1000, 0.625), shown(2000), END)
    assert "Done: 9,000 of 9,000 iterations." in html
    assert "<b>62.5</b><span>mAP of the last test, per cent</span>" in html
    assert "<b>120</b><span>images per second, median</span>" in html
    assert "<b>25 %</b><span>waiting for data, mean</span>" in html
    assert re.findall(r"<h3>(.*?)</h3>", html) == [
        "Loss", "mAP, F1-C and F1-O, per cent", "Learning rate", "Images per second",
        "Waiting for data, per cent of the time",
    ]  # fmt: skip
    assert html.count('<path class="curve"') == 6
    assert "<td>25.0</td><td>62.5</td><td>62.5</td>" in html
    assert "<td>-</td><td>-</td><td>-</td>" in html  # a class that no test image has


def test_nothing_is_fetched_and_names_are_escaped(tmp_path: Path) -> None:
    html = page(tmp_path, START, a_test(0), End(3.0, 10, "<script>alert(1)</script>"))
    assert "net &lt;b&gt;&amp; co" in html
    assert "cat &amp; &lt;i&gt;dog&lt;/i&gt;" in html
    assert "CPU &lt;i&gt;" in html
    assert "<script" not in html
    assert not re.search(r"(src|href)=.(?!data:)", html)
    assert "http" not in html


@pytest.mark.parametrize(
    ("end", "words", "wrong"),
    [
        (None, "In training: 1,000 of 9,000 iterations.", False),
        (End(3.0, 1000, "stopped"), "Stopped early: 1,000 of 9,000 iterations. The same command goes on.", False),
        (End(3.0, 1000, "loss = nan"), "Failed after 1,000 of 9,000 iterations: loss = nan", True),
    ],
)
def test_how_a_run_ended(tmp_path: Path, end: End | None, words: str, wrong: bool) -> None:
    html = page(tmp_path, START, shown(1000), *([end] if end else []))
    assert f'<p class="result{" wrong" if wrong else ""}">{words}</p>' in html


def test_several_nets_scores_and_starts_are_told_apart(tmp_path: Path) -> None:
    two = NetTested(5.0, 3, 0, 0.5, {}, {"y:mAP": 0.5, "z:mAP": 0.75}, {"y": [0.5], "z": [0.75]})
    html = page(tmp_path, START, two, a_test(3, net=1), Start(9.0, 4, 9000, "again", 24))
    assert "Average precision by class (y)" in html
    assert "Average precision by class (z)" in html
    assert html.count("from iteration 4") == 1
    assert "<h1>again</h1>" in html
    assert "test net 1 0.7" in html
    assert "mAP, net 1 50" in html


def test_a_run_that_has_only_begun(tmp_path: Path) -> None:
    html = page(tmp_path, START)
    assert "In training: 0 of 9,000 iterations." in html
    assert "<svg" not in html


def test_the_first_the_last_and_some_tests_between_show_attention(tmp_path: Path) -> None:
    for iteration in range(0, 1000, 100):
        for number in (1, 2):
            (tmp_path / f"attention_{iteration}_{number}.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "attention_of_mine.jpg").touch()
    html = page(tmp_path, START, a_test(900))
    assert re.findall(r"<h3>After (\d+) iterations</h3>", html) == ["0", "300", "600", "900"]
    assert html.count('src="data:image/jpeg') == 8


def test_the_sink_writes_after_tests_and_at_the_end(tmp_path: Path) -> None:
    events, sink = EventFile(tmp_path / EVENTS), RunReport(tmp_path)
    for event, there in ((START, False), (shown(0), False), (a_test(0), True)):
        events.write(event)
        sink.write(event)
        assert (tmp_path / "report.html").exists() is there
    events.write(END)
    sink.write(END)
    assert "Done" in (tmp_path / "report.html").read_text()
    sink.close()
    events.close()


def test_a_folder_without_events(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"metrics.jsonl: cannot read the events"):
        write_report(tmp_path)


def test_every_table_row_has_as_many_cells_as_the_heading(tmp_path: Path) -> None:
    other = NetTested(5.0, 3, 1, 0.5, {"accuracy": 0.25}, {}, {})
    html = page(tmp_path, START, a_test(0), other)
    table = html[html.index("Figures of each test</h2>") :]
    rows = re.findall(r"<tr>(.*?)</tr>", table[: table.index("</table>")], re.S)
    assert [len(re.findall("<t[hd]", row)) for row in rows] == [5, 5, 5]


def test_the_lines_of_the_file_are_what_other_programs_read(tmp_path: Path) -> None:
    page(tmp_path, START, a_test(0))
    lines = [json.loads(line) for line in (tmp_path / EVENTS).read_text().splitlines()]
    assert lines[1]["metrics"] == {"mAP": 0.5}

from pathlib import Path

import pytest

from caffe_compat.errors import FormatError
from caffe_compat.logs.parsing.follow import follow_logs

END = "I0520 23:00:23.213491  9848 caffe.cpp:259] Optimization Done.\n"


class Steps:
    """Stands for time.sleep: each call does the next thing that happens to the log meanwhile."""

    def __init__(self, *actions):
        self.actions, self.slept = list(actions), []

    def __call__(self, seconds):
        self.slept.append(seconds)
        self.actions.pop(0)()


def test_a_picture_for_each_growth_until_training_ends(tmp_path: Path) -> None:
    path, drawn = tmp_path / "run.log", []

    def grow(text):
        with path.open("a") as log:
            log.write(text)

    steps = Steps(lambda: grow("line\n"), lambda: None, lambda: grow("x" * 5000), lambda: grow(END))
    follow_logs([path], lambda: drawn.append(path.exists() and path.stat().st_size), 7, print, steps)
    assert drawn == [False, 5, 5005, 5005 + len(END)]
    assert steps.slept == [7] * 4


def test_a_log_without_anything_to_draw_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    told: list[str] = []

    def fail():
        raise FormatError(f"{path}: no training log")

    steps = Steps(lambda: path.write_text("a"), lambda: path.write_text(END))
    follow_logs([path], fail, 1, told.append, steps)
    assert told == [f"waiting: {path}: no training log"]


def test_all_logs_must_have_ended(tmp_path: Path) -> None:
    paths = [tmp_path / "a.log", tmp_path / "b.log"]
    paths[0].write_text(END)
    with pytest.raises(KeyboardInterrupt):
        follow_logs(paths, lambda: None, 1, print, Steps(lambda: (_ for _ in ()).throw(KeyboardInterrupt)))
    paths[1].write_text("Optimization stopped early.\n")
    follow_logs(paths, lambda: None, 1, print, Steps())

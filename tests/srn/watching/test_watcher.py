import sys

import numpy as np
import pytest
import torch

from caffe_compat.solvers.actions import Action
from caffe_compat.srn.watching.events import End, Event, NetTested, Shown, Start
from caffe_compat.srn.watching.watcher import (
    Watcher,
    describe_environment,
    images_per_iteration,
    waiting_seconds,
    watching,
)
from tests.srn.watching.multilabel import SECOND_LOSS, make_solver


def test_versions_device_and_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/train", "--solver=x"])
    found = describe_environment(torch.device("cpu"))
    assert found["device"] == "CPU"
    assert found["torch"] == torch.__version__.partition("+")[0] or found["torch"] == torch.__version__
    assert found["command"] == "train --solver=x"


def test_a_package_that_is_called_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caffe_compat.srn.watching.watcher.PACKAGES", ("no-such-package",))
    assert describe_environment(torch.device("cpu"))["no-such-package"] == "another build"


class Kept:
    def __init__(self):
        self.events, self.closed = [], 0

    def write(self, event):
        self.events.append(event)

    def close(self):
        self.closed += 1

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@pytest.mark.parametrize("engine", ["exact", "fast"])
@pytest.mark.parametrize("more", ["", SECOND_LOSS])
def test_a_run_is_told_whole_and_trains_as_if_nobody_watched(
    engine: str, more: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "caffe_compat")
    alone = make_solver(engine, more)
    alone.solve()
    unwatched = [message for message in caplog.messages if "iter/s" not in message]
    caplog.clear()

    solver, kept = make_solver(engine, more), Kept()
    with watching(solver, [kept], ["a", "b", "c"]):
        solver.solve()

    ours = [message for message in caplog.messages if "Test net metric" in message]
    assert [m for m in caplog.messages if m not in ours and "iter/s" not in m] == unwatched
    assert len(ours) == 3 * (2 if more else 1) * 3
    for watched, plain in zip(solver.net.parameters(), alone.net.parameters(), strict=True):
        assert torch.equal(watched, plain)
    assert kept.closed == 1
    (start,), (end,) = kept.of(Start), kept.of(End)
    assert (start.iteration, start.max_iter, start.images_per_iteration, start.class_names) == (
        0,
        6,
        6,
        ["a", "b", "c"],
    )
    assert (end.iteration, end.reason) == (6, "done")
    assert [shown.iteration for shown in kept.of(Shown)] == [0, 2, 4]
    assert kept.of(Shown)[0].images_per_second is None
    assert kept.of(Shown)[1].images_per_second > 0
    assert [tested.iteration for tested in kept.of(NetTested)] == [0, 3, 6]
    name = "y:mAP" if more else "mAP"
    aps = [tested.ap["y"] for tested in kept.of(NetTested)]
    assert [tested.metrics[name] for tested in kept.of(NetTested)] == pytest.approx([np.nanmean(ap) for ap in aps])
    assert solver.observers == [] == solver.callbacks


def test_a_stopped_run_and_one_that_fails_say_why() -> None:
    solver, kept = make_solver(), Kept()
    asked = iter([Action.STOP])
    solver.requested_action = lambda: next(asked, Action.NONE)
    with watching(solver, [kept]):
        solver.solve()
    assert kept.events[-1].reason == "stopped"
    kept = Kept()
    with pytest.raises(RuntimeError, match="gone"), watching(make_solver(), [kept]):
        raise RuntimeError("gone")
    assert (kept.events[-1].reason, kept.closed) == ("gone", 1)


def test_a_net_whose_targets_are_no_labels_of_a_database_trains_as_without_a_watcher() -> None:
    solver, kept = make_solver(fields="test_initialization: false"), Kept()
    solver.net.blobs["label"].data[1, 2] = 2.5
    with watching(solver, [kept]):
        solver.solve()
    assert kept.events[-1].reason == "done"


def test_batches_of_an_interrupted_test_are_forgotten() -> None:
    solver, kept = make_solver(), Kept()
    with watching(solver, [kept]):
        (watcher,) = solver.observers
        assert isinstance(watcher, Watcher)
        watcher.on_test_start(0)
        solver.test_engines[0].forward()
        watcher.on_test_batch(0, solver.test_nets[0])
        solver.test(0)
        assert len(watcher._tests[0].batches["loss"]) == 0
        solver.test(0)
    first, second = kept.of(NetTested)
    assert first.ap == second.ap


def test_only_the_first_of_several_processes_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    solver, kept = make_solver(), Kept()
    solver.is_root = False
    with watching(solver, [kept]):
        assert solver.observers == []
    assert kept.events == []


def test_an_iteration_sees_batch_size_times_iter_size() -> None:
    assert images_per_iteration(make_solver(fields="iter_size: 4")) == 24


def test_nothing_waits_without_files() -> None:
    assert waiting_seconds(make_solver().net) == 0


class Refusing(Kept):
    def write(self, event: Event) -> None:
        super().write(event)
        if len(self.events) != 3:
            raise OSError(28, "No space left on device")

    def close(self) -> None:
        raise OSError(28, "No space left on device")


def test_failures_in_a_row_are_told_once_and_end_nothing(caplog: pytest.LogCaptureFixture) -> None:
    solver, refusing = make_solver("exact", ""), Refusing()
    with watching(solver, [refusing]):
        solver.solve()
    assert len(refusing.events) > 4
    assert [message for message in caplog.messages if "No space left" in message] == [
        "Watching: [Errno 28] No space left on device. Training goes on"
    ] * 2

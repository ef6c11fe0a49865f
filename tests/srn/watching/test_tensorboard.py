import math
import sys
from pathlib import Path

import pytest

from caffe_compat.errors import MissingFeatureError
from caffe_compat.srn.watching.events import NetTested, Shown, Start
from caffe_compat.srn.watching.tensorboard import TensorBoard, scalars

SHOWN = Shown(9.0, 30, 0.25, 0.001, 120.0, None, {"loss": 0.5})
TESTED = NetTested(8.0, 20, 1, 0.75, {"loss": 0.375}, {"mAP": 0.625, "F1-C": math.nan})


def test_scalars_have_the_names_of_their_net() -> None:
    assert scalars(SHOWN) == {
        "train/objective": 0.25, "train/learning rate": 0.001, "train/loss": 0.5, "train/images per second": 120.0,
    }  # fmt: skip
    assert list(scalars(TESTED)) == ["test_1/objective", "test_1/loss", "test_1/mAP", "test_1/F1-C"]


def test_without_the_package_the_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.record_writer", None)
    with pytest.raises(MissingFeatureError, match=r"^TensorBoard files need the package tensorboard.*pip install"):
        TensorBoard(tmp_path)


@pytest.mark.slow
def test_tensorboard_reads_what_is_written(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    writer = TensorBoard(tmp_path)
    for event in (Start(0.0, 0, 9, "net", 1), SHOWN, TESTED):
        writer.write(event)
    writer.close()
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert "test_1/F1-C" not in events.Tags()["scalars"]
    (read,) = events.Scalars("test_1/mAP")
    assert (read.step, read.value, read.wall_time) == (20, 0.625, 8.0)

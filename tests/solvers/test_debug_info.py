"""debug_info's lines."""

import numpy as np
import pytest

from tests.solvers.least_squares import make_solver


def test_a_display_with_debug_info_logs_every_blob_and_weight(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    solver = make_solver("base_lr: 0.1 debug_info: true display: 2 test_iter: 1 test_interval: 9")
    weights = [blob.data.copy() for blob in solver.net.params["ip"]]
    caplog.clear()
    solver.step(2)
    lines = [line for line in caplog.messages if line.startswith("    [")]
    data = np.abs(solver.net.blobs["data"].data).mean()
    assert lines[0] == "    [Forward] Layer data, top blob data data: 0"  # the test net's, which nobody filled
    train = lines[lines.index(f"    [Forward] Layer data, top blob data data: {data:g}") :]
    assert f"    [Forward] Layer ip, param blob 0 data: {np.abs(weights[0]).mean():g}" in train
    assert any(line.startswith("    [Backward] Layer loss, bottom blob y diff: ") for line in train)
    assert any(line.startswith("    [Backward] Layer ip, param blob 1 diff: ") for line in train)
    total = sum(np.abs(weight).sum() for weight in weights)
    assert train[-1].startswith(f"    [Backward] All net params (data, diff): L1 norm = ({total:g}, ")
    assert sum(line.startswith("    [Backward] All") for line in lines) == 1

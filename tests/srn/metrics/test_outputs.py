import json
from pathlib import Path

import numpy as np

from caffe_compat.srn.metrics.outputs import WRITERS, write_outputs
from caffe_compat.srn.metrics.report import Request, evaluate


def test_each_file_that_is_asked_for_is_written_whole(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "labels.txt", [[1, 0], [0, 1]], fmt="%d")
    report = evaluate(Request("own", tmp_path / "labels.txt", [tmp_path / "labels.txt"]))
    paths = {name: tmp_path / name / "deep" / f"out.{name}" for name in WRITERS}
    for path in paths.values():
        path.parent.mkdir(parents=True)
    write_outputs(report, paths | {"png": None})
    assert json.loads(paths["json"].read_text())["mAP"] == 1
    assert [path.exists() for path in paths.values()] == [True, True, True, False]
    assert [len(list(path.parent.iterdir())) for path in paths.values()] == [1, 1, 1, 0]

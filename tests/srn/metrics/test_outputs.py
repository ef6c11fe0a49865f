import json

import numpy as np
import pytest

from caffe_compat.srn.metrics.outputs import WRITERS, make_folders, write_outputs
from caffe_compat.srn.metrics.report import Request, evaluate


def test_folders_are_made_and_each_file_is_written_whole(tmp_path) -> None:
    np.savetxt(tmp_path / "labels.txt", [[1, 0], [0, 1]], fmt="%d")
    report = evaluate(Request("own", tmp_path / "labels.txt", [tmp_path / "labels.txt"]))
    paths = {name: tmp_path / name / "deep" / f"out.{name}" for name in WRITERS}
    make_folders(paths)
    write_outputs(report, paths | {"png": None})
    assert json.loads(paths["json"].read_text())["mAP"] == 1
    assert [path.exists() for path in paths.values()] == [True, True, True, False]
    assert [len(list(path.parent.iterdir())) for path in paths.values()] == [1, 1, 1, 0]


def test_a_file_where_a_folder_is_needed(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folders({"json": tmp_path / "file" / "out.json", "csv": None})

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.metrics.json_report import report_json
from caffe_compat.srn.metrics.report import Request, evaluate

RECORDED = Path(__file__).parents[2] / "goldens" / "metrics"
DATASET_OF = {"wider_like": "wider_att", "nus_like": "nus_wide"}


@pytest.mark.parametrize("case", ["small_noempty", "with_empty_class", "wider_like", "nus_like"])
def test_equals_the_released_code_run_in_octave(case, tmp_path) -> None:
    scores = tmp_path / "scores.txt"
    scores.write_bytes(gzip.decompress((RECORDED / case / "scores.txt.gz").read_bytes()))
    result = report_json(evaluate(Request(DATASET_OF.get(case, "coco"), RECORDED / case / "labels.txt", [scores])))
    for line in (RECORDED / case / "expected.txt").read_text().splitlines():
        if line.startswith("ap "):
            have = [np.nan if value is None else value for value in result["ap"]]
            np.testing.assert_allclose(have, np.array(line.split()[1:], float), atol=1e-9)
        elif not line.endswith("NaN"):
            name, value = line.rsplit(" ", 1)
            assert result[name] == pytest.approx(float(value), abs=1e-9), name


def files(tmp_path, scores=((0.5, -1.5, 2.0), (-0.25, 1.0, -3.0))):
    (tmp_path / "labels.txt").write_text("1 0 0\n0 1 0\n")
    for name in ("a.txt", "b.txt"):
        np.savetxt(tmp_path / name, scores)
    return {"dataset": "coco", "labels": tmp_path / "labels.txt", "predictions": [tmp_path / "a.txt"]}


def test_a_class_without_positives_is_null_and_warned_of(tmp_path) -> None:
    report = evaluate(Request(**files(tmp_path)))
    assert report_json(report)["ap"] == [1.0, 1.0, None]
    assert report_json(report)["mAP"] == 1.0
    assert report.warnings[0].startswith(
        "no image has class 3: AP is undefined there (null), and mAP is over the other 2"
    )


def test_no_warning_where_every_class_has_positives() -> None:
    case = RECORDED / "small_noempty"
    assert evaluate(Request("coco", case / "labels.txt", [case / "labels.txt"])).warnings == []


def test_only_accessible_images_count(tmp_path) -> None:
    (tmp_path / "accessible.txt").write_text("2\n")
    report = evaluate(Request(**files(tmp_path), accessible=tmp_path / "accessible.txt"))
    assert report.images == 1
    assert report.positives.tolist() == [0, 1, 0]


def test_names_of_files_that_are_called_alike(tmp_path) -> None:
    arguments = files(tmp_path)
    (tmp_path / "other").mkdir()
    second = (tmp_path / "a.txt").rename(tmp_path / "other" / "b.txt")
    arguments["predictions"] = [tmp_path / "b.txt", second]
    names = [measurement.name for measurement in evaluate(Request(**arguments)).measurements]
    assert names == [str(tmp_path / "b.txt"), str(second)]


@pytest.mark.parametrize("names", [["one"], ["same", "same"]])
def test_wrong_names(tmp_path, names) -> None:
    arguments = files(tmp_path) | {"predictions": [tmp_path / "a.txt", tmp_path / "b.txt"], "names": names}
    with pytest.raises(
        DataError, match=r"^--names: expected 2 names that all differ, one a --predictions file, found "
    ):
        evaluate(Request(**arguments))


def test_class_names(tmp_path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("person\ncar \n\ntraffic light\n")
    assert evaluate(Request(**files(tmp_path), class_names=names)).class_names == ["person", "car", "traffic light"]


def test_too_few_class_names(tmp_path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("person\ncar\n")
    with pytest.raises(DataError, match="^" + re.escape(f"{names}: expected 3 class names, one a line, as ")):
        evaluate(Request(**files(tmp_path), class_names=names))


def test_predictions_of_another_image_list(tmp_path) -> None:
    arguments = files(tmp_path, scores=((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)))
    complaint = (
        f"{tmp_path / 'a.txt'}: expected 2 lines of 3 scores, as {tmp_path / 'labels.txt'} has labels, "
        "found 3 lines of 2; labels and predictions must come from one image list"
    )
    with pytest.raises(ShapeError, match="^" + re.escape(complaint)):
        evaluate(Request(**arguments))


def test_json_of_several_files(tmp_path) -> None:
    arguments = files(tmp_path) | {"predictions": [tmp_path / "a.txt", tmp_path / "b.txt"], "rounds": 5}
    result = report_json(evaluate(Request(**arguments)))
    assert list(result["models"]) == ["a", "b"]
    assert result["comparisons"][0]["gain"]["F1-C"] == 0
    assert result["comparisons"][0]["95 % interval of the gain"]["mAP"] == (0, 0)
    assert "95 % interval" in result["models"]["a"]
    assert "CF1" in result["models"]["a"]["convention of later papers"]

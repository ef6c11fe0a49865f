import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.metrics.datasets import Conventions
from caffe_compat.srn.metrics.decisions import probabilities
from caffe_compat.srn.metrics.json_report import report_json
from caffe_compat.srn.metrics.report import Request, evaluate

RECORDED = Path(__file__).parents[2] / "goldens" / "metrics"
DATASET_OF = {"wider_like": "wider_att", "nus_like": "nus_wide"}


@pytest.mark.parametrize("case", ["small_noempty", "with_empty_class", "wider_like", "nus_like"])
def test_equals_the_released_code_run_in_octave(case: str, tmp_path: Path) -> None:
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


def test_a_class_without_positives_is_null_and_warned_of(tmp_path: Path) -> None:
    report = evaluate(Request(**files(tmp_path)))
    assert report_json(report)["ap"] == [1.0, 1.0, None]
    assert report_json(report)["mAP"] == 1.0
    assert report.warnings[0].startswith(
        "no image has class 3: AP is undefined there (null), and mAP is over the other 2"
    )


def test_no_warning_where_every_class_has_positives() -> None:
    case = RECORDED / "small_noempty"
    assert evaluate(Request("coco", case / "labels.txt", [case / "labels.txt"])).warnings == []


def test_only_accessible_images_count(tmp_path: Path) -> None:
    (tmp_path / "accessible.txt").write_text("2\n")
    report = evaluate(Request(**files(tmp_path), accessible=tmp_path / "accessible.txt"))
    assert report.images == 1
    assert report.positives.tolist() == [0, 1, 0]


def test_names_of_files_that_are_called_alike(tmp_path: Path) -> None:
    arguments = files(tmp_path)
    (tmp_path / "other").mkdir()
    second = (tmp_path / "a.txt").rename(tmp_path / "other" / "b.txt")
    arguments["predictions"] = [tmp_path / "b.txt", second]
    names = [measurement.name for measurement in evaluate(Request(**arguments)).measurements]
    assert names == [str(tmp_path / "b.txt"), str(second)]


@pytest.mark.parametrize("names", [["one"], ["same", "same"]])
def test_wrong_names(tmp_path: Path, names: list[str]) -> None:
    arguments = files(tmp_path) | {"predictions": [tmp_path / "a.txt", tmp_path / "b.txt"], "names": names}
    with pytest.raises(
        DataError, match=r"^--names: expected 2 names that all differ, one for each --predictions file, found "
    ):
        evaluate(Request(**arguments))


def test_class_names(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("person\ncar \n\ntraffic light\n")
    assert evaluate(Request(**files(tmp_path), class_names=names)).class_names == ["person", "car", "traffic light"]


def test_too_few_class_names(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("person\ncar\n")
    with pytest.raises(DataError, match="^" + re.escape(f"{names}: expected 3 class names, one per line, as ")):
        evaluate(Request(**files(tmp_path), class_names=names))


def test_predictions_of_another_image_list(tmp_path: Path) -> None:
    arguments = files(tmp_path, scores=((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)))
    complaint = (
        f"{tmp_path / 'a.txt'}: expected 2 lines of 3 scores, as {tmp_path / 'labels.txt'} has labels, "
        "found 3 lines of 2; labels and predictions must come from one image list"
    )
    with pytest.raises(ShapeError, match="^" + re.escape(complaint)):
        evaluate(Request(**arguments))


def test_predictions_of_one_image(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match=r"has labels, found 1 line of 2; labels and predictions must come from one"):
        evaluate(Request(**files(tmp_path, scores=((1.0, 2.0),))))


def test_json_of_several_files(tmp_path: Path) -> None:
    arguments = files(tmp_path) | {"predictions": [tmp_path / "a.txt", tmp_path / "b.txt"], "rounds": 5}
    result = report_json(evaluate(Request(**arguments)))
    assert list(result["models"]) == ["a", "b"]
    assert result["comparisons"][0]["gain"]["F1-C"] == 0
    assert result["comparisons"][0]["95 % interval of the gain"]["mAP"] == [0, 0]
    assert "95 % interval" in result["models"]["a"]
    assert "CF1" in result["models"]["a"]["convention of later papers"]


def scored(tmp_path, seed=8):
    """Forty images of five classes, in a prepared folder, with logits and the probabilities that they stand for."""
    generator = np.random.default_rng(seed)
    home = tmp_path / "birds & <b>bees"
    home.mkdir()
    labels = generator.random((40, 5)) < 0.4
    np.savetxt(home / "test_labels.txt", labels, fmt="%d")
    counts = {name: int(count) for name, count in zip("abcde", labels.sum(axis=0), strict=True)}
    splits = {"train": {"label counts": {name: 10 * count for name, count in counts.items()}}}
    (home / "summary.json").write_text(json.dumps({"splits": splits | {"test": {"label counts": counts}}}))
    logits = generator.normal(size=(40, 5)) + 2 * labels - 1
    np.savetxt(tmp_path / "logits.txt", logits, fmt="%.6f")
    np.savetxt(tmp_path / "probs.txt", probabilities(logits), fmt="%.6f")
    np.save(tmp_path / "probs.npy", probabilities(logits))
    return home


@pytest.mark.parametrize("file", ["probs.txt", "probs.npy"])
def test_probabilities_are_noticed_and_give_the_figures_of_logits(tmp_path: Path, file: str) -> None:
    home = scored(tmp_path)
    want = evaluate(Request("coco", home / "test_labels.txt", [tmp_path / "logits.txt"]))
    have = evaluate(Request("coco", home / "test_labels.txt", [tmp_path / file]))
    assert have.measurements[0].figures == pytest.approx(want.measurements[0].figures, rel=1e-12)
    assert have.measurements[0].later.figures == pytest.approx(want.measurements[0].later.figures, rel=1e-12)
    assert want.notes == []
    assert have.notes == [
        "all scores of probs lie within 0..1, so they are read as probabilities; --scores logits reads them as raw "
        "scores"
    ]


def test_the_user_can_say_that_probabilities_are_logits(tmp_path: Path) -> None:
    home = scored(tmp_path)
    request = Request("coco", home / "test_labels.txt", [tmp_path / "probs.txt"], conventions=Conventions("logits"))
    report = evaluate(request)
    assert report.notes == []
    assert report.measurements[0].figures["R-C"] == pytest.approx(1)  # sigmoid of 0..1 is above 0.5


def test_own_data_need_nothing_but_their_prepared_folder(tmp_path: Path) -> None:
    home = scored(tmp_path)
    report = evaluate(Request("own", None, [tmp_path / "logits.txt"], data=home))
    assert report.rules.title == "birds & <b>bees"
    assert report.class_names == list("abcde")
    assert report.training_counts is not None
    assert report.training_counts.tolist() == (10 * report.positives).tolist()
    assert report_json(report)["training images"] == report.training_counts.tolist()
    assert report_json(report)["title"] == "birds & <b>bees"
    assert evaluate(Request("own", None, [tmp_path / "logits.txt"], data=home, title="Mine")).rules.title == "Mine"


def test_a_summary_beside_the_labels_is_found_and_one_of_other_labels_is_not_taken(tmp_path: Path) -> None:
    home = scored(tmp_path)
    assert evaluate(Request("own", home / "test_labels.txt", [tmp_path / "logits.txt"])).class_names == list("abcde")
    np.savetxt(home / "two.txt", [[1, 0], [0, 1]], fmt="%d")
    report = evaluate(Request("own", home / "two.txt", [home / "two.txt"]))
    assert report.class_names == ["class 1", "class 2"]
    assert report.rules.title == "birds & <b>bees"
    with pytest.raises(DataError, match=r"expected 2 labels, as .*two.txt has columns, found 5 names of labels"):
        evaluate(Request("own", home / "two.txt", [home / "two.txt"], data=home))


def test_no_labels_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^expected --labels FILE or --data DIR, a folder that prepare wrote; found"):
        evaluate(Request("own", None, [tmp_path / "logits.txt"]))


def test_unknown_labels_are_as_good_as_not_there(tmp_path: Path) -> None:
    """One class column with unknown cells gives the figures of a file without those images."""
    home = scored(tmp_path)
    labels, scores = np.loadtxt(home / "test_labels.txt")[:, :1], np.loadtxt(tmp_path / "logits.txt")[:, :1]
    np.savetxt(tmp_path / "some.txt", labels[:25], fmt="%d")
    np.savetxt(tmp_path / "some_scores.txt", scores[:25])
    np.savetxt(tmp_path / "all.txt", np.where(np.arange(40)[:, None] < 25, labels, 99), fmt="%d")
    np.savetxt(tmp_path / "all_scores.txt", scores)
    want = evaluate(Request("coco", tmp_path / "some.txt", [tmp_path / "some_scores.txt"])).measurements[0]
    have = evaluate(Request("coco", tmp_path / "all.txt", [tmp_path / "all_scores.txt"], ignore=99)).measurements[0]
    assert have.figures == pytest.approx(want.figures, rel=1e-14)
    assert have.later.figures == pytest.approx(want.later.figures, rel=1e-14)


def test_wider_names_both_ways_to_count_f1(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("1\n0\n-1\n1\n")
    np.savetxt(tmp_path / "scores.txt", [[3.0], [2.0], [-1.0], [-2.0]])
    report = evaluate(Request("wider_att", tmp_path / "labels.txt", [tmp_path / "scores.txt"]))
    figures = report.measurements[0].figures
    assert figures["P-O"] == pytest.approx(1 / 2)  # the unspecified one counts as absent
    assert figures["specified P-O"] == pytest.approx(1)
    assert figures["R-O"] == figures["specified R-O"] == pytest.approx(1 / 2)
    assert "'specified' leave them out, as the paper's text says" in report_json(report)["convention"]


@pytest.mark.parametrize(("ap", "value"), [("released", 5 / 6), ("voc07", (6 + 5 * 2 / 3) / 11), ("sklearn", 5 / 6)])
def test_the_convention_of_ap_can_be_chosen_and_is_named(tmp_path: Path, ap: str, value: float) -> None:
    (tmp_path / "labels.txt").write_text("1\n0\n1\n")
    np.savetxt(tmp_path / "scores.txt", [[3.0], [2.0], [1.0]])
    request = Request("coco", tmp_path / "labels.txt", [tmp_path / "scores.txt"], conventions=Conventions(ap=ap))
    result = report_json(evaluate(request))
    assert result["mAP"] == pytest.approx(value)
    assert result["convention"].startswith("AP ")


def test_the_threshold_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("1\n1\n")
    np.savetxt(tmp_path / "scores.txt", [[0.9], [0.3]])
    request = Request("coco", tmp_path / "labels.txt", [tmp_path / "scores.txt"])
    assert evaluate(request).measurements[0].figures["R-O"] == pytest.approx(1 / 2)
    lower = Request(**(vars(request) | {"conventions": Conventions("auto", threshold=0.2)}))
    assert evaluate(lower).measurements[0].figures["R-O"] == pytest.approx(1)
    assert report_json(evaluate(lower))["threshold"] == 0.2


def test_class_names_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match=r"names.txt: cannot read the class names \(it is not UTF-8 text\); expected"):
        evaluate(Request(**files(tmp_path), class_names=tmp_path / "names.txt"))
    with pytest.raises(DataError, match=r"none.txt: cannot be read \(No such file or directory\); check the path"):
        evaluate(Request(**files(tmp_path), class_names=tmp_path / "none.txt"))


def test_unknown_labels_of_a_prepared_folder_are_left_out_without_a_flag(tmp_path: Path) -> None:
    home = scored(tmp_path)
    labels = np.loadtxt(home / "test_labels.txt")
    labels[::3, 2] = -1
    np.savetxt(home / "test_labels.txt", labels, fmt="%d")
    content = json.loads((home / "summary.json").read_text())
    (home / "summary.json").write_text(json.dumps(content | {"unknown labels": True}))
    have = evaluate(Request("own", None, [tmp_path / "logits.txt"], data=home))
    want = evaluate(Request("coco", home / "test_labels.txt", [tmp_path / "logits.txt"], ignore=-1))
    assert have.measurements[0].figures == want.measurements[0].figures
    assert have.notes == want.notes == ["14 labels of value -1 are unknown and left out of all figures"]
    assert evaluate(Request("coco", home / "test_labels.txt", [tmp_path / "logits.txt"])).notes == []

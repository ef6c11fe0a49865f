"""`view` and `summary` of a folder that the generator wrote."""

import json

from caffe_compat.cli.commands import generate, summary, view

MODEL = ("--model", "resnet101", "--labels", "20", "--depth", "26", "--width", "1", "--input-size", "64")


def test_a_generated_folder_is_one_page_and_one_summary(tmp_path, capsys):
    folder = tmp_path / "small"
    assert generate.main([*MODEL, "--out", str(folder)]) == 0
    page, figures = tmp_path / "new" / "small.html", tmp_path / "new" / "small.json"
    capsys.readouterr()

    assert view.main([str(folder), "--out", str(page)]) == 0
    assert capsys.readouterr().out == f"wrote {page}: open it in a browser\n"
    for label in ("step_1_resnet101_trainval, TRAIN", "step_1_resnet101_trainval, TEST", "custom_resnet101_test, TEST"):
        assert f'"{label}"' in page.read_text()

    assert summary.main([str(folder), "--phase", "TEST", "--json", str(figures)]) == 0
    assert len(json.loads(figures.read_text())) == 2


def test_a_page_that_cannot_be_written_is_refused_first(tmp_path, capsys):
    assert view.main([str(tmp_path / "none.prototxt"), "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.endswith("expected a file to write, found a folder; name a file in it\n")

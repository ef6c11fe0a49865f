import json
from pathlib import Path

import pytest

from caffe_compat.convert.formats.caffemodel import read_caffemodel
from caffe_compat.convert.model import Model
from caffe_compat.convert.report import ConversionReport, as_text, write_report
from caffe_compat.proto.write import write_weights
from tests.convert.models import assert_same_blobs, model_of

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }
"""


def report_and_target() -> tuple[ConversionReport, Model]:
    model = model_of(TEXT)
    report = ConversionReport(model)
    report.replaced(["ip"], ["fc"], "renamed")
    report.replaced(["fc"], ["fc", "fc_bias"], "split")
    report.dropped("relu", "no use")
    report.added("new", "made up")
    layers = [model.net.layer[0]]
    for name in ("fc", "fc_bias", "new"):
        layers.append(type(layers[0])(name=name, type="Thing"))
    return report, model.with_layers(layers, {"fc": model.blobs["ip"]})


def test_a_layer_is_followed_through_all_steps() -> None:
    report, target = report_and_target()
    rows = [(row.source, row.target, row.target_shapes, row.done) for row in report.rows(target)]

    assert rows == [
        ("data", "data", [], "kept"),
        ("ip", "fc", [(5, 3), (5,)], "renamed; split"),
        ("ip", "fc_bias", [], "renamed; split"),
        ("relu", "", [], "dropped: no use"),
        ("", "new", [], "made up"),
    ]


def test_layers_that_become_one_share_its_name() -> None:
    report, target = report_and_target()
    report.replaced(["fc", "fc_bias", "new"], ["fc"], "joined")

    assert [(row.source, row.target) for row in report.rows(target)] == [
        ("data", "data"),
        ("ip", "fc"),
        ("relu", ""),
        ("", "fc"),
    ]


def test_the_table_has_a_line_a_layer() -> None:
    report, target = report_and_target()
    report.notes.append("a note")
    lines = as_text(report, report.rows(target)).splitlines()

    assert lines[:4] == ["net.caffemodel", "dialect bvlc", "a note", ""]
    assert lines[6].split() == ["ip", "InnerProduct", "5x3", "5", "fc", "Thing", "5x3", "5", "renamed;", "split"]
    assert lines[8].split()[:3] == ["relu", "ReLU", "-"]


def test_files(tmp_path: Path) -> None:
    report, target = report_and_target()
    rows = report.rows(target)
    write_report(tmp_path / "r.json", report, rows)
    write_report(tmp_path / "r.txt", report, rows)

    assert json.loads((tmp_path / "r.json").read_text())["layers"][3]["done"] == "dropped: no use"
    assert (tmp_path / "r.txt").read_text() == as_text(report, rows)


@pytest.mark.parametrize("name", ["a.caffemodel", "a.caffemodel.h5"])
def test_gradients_of_a_snapshot_are_said_to_be_left_out(name: str, tmp_path: Path) -> None:
    model = model_of('layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 3 dim: 2 } } }')
    note = "the file's gradients (snapshot_diff) are left out: Caffe does not read them either"
    for gradients in (None, {"p": [2 * model.blobs["p"][0]]}):
        write_weights(tmp_path / name, model.net, model.blobs, gradients=gradients)
        read = read_caffemodel(str(tmp_path / name))
        assert (note in ConversionReport(read).notes) is (gradients is not None)
        assert_same_blobs(read, model)

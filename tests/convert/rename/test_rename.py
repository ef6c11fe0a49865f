from pathlib import Path

import numpy as np
import pytest

from caffe_compat.convert.assemble import assemble
from caffe_compat.convert.formats.caffemodel import read_caffemodel
from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.forms.train_form import is_automatic
from caffe_compat.convert.model import Model
from caffe_compat.convert.rename.rename import rename
from caffe_compat.convert.report import Report
from caffe_compat.errors import GraphError
from tests.convert.models import RELEASED, model_of

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }
layer { name: "sum" type: "Eltwise" bottom: "ip" bottom: "data" top: "sum" }
"""


def renamed(model: Model, how: str) -> tuple[Model, dict[str, str]]:
    report = Report(model)
    made = rename(model, how, report)
    return made, {row.source or row.target: row.done for row in report.rows(made)}


def names(folder: Path, text: str) -> str:
    path = folder / "names.txt"
    path.write_text(text)
    return str(path)


def test_layers_blobs_and_weights_follow(tmp_path: Path) -> None:
    model = model_of(TEXT)
    made, done = renamed(model, names(tmp_path, "ip fc\ndata image  # the input"))

    assert [(layer.name, list(layer.bottom), list(layer.top)) for layer in made.net.layer] == [
        ("image", [], ["image"]),
        ("fc", ["image"], ["fc"]),
        ("relu", ["fc"], ["fc"]),
        ("sum", ["fc", "image"], ["sum"]),
    ]
    assert made.blobs["fc"] is model.blobs["ip"]
    assert (done["ip"], done["relu"]) == ("renamed", "kept")
    assert list(model.net.layer[1].top) == ["ip"]


def test_the_released_structure_computes_the_same_under_readable_names() -> None:
    model = read_caffemodel(RELEASED)
    made, done = renamed(model, "readable")
    old, new = assemble(deploy_form(model)), assemble(deploy_form(made))

    assert new.outputs == ("y", "y_att")
    assert [step.layer.spec.type for step in new.steps] == [step.layer.spec.type for step in old.steps]
    for one, other in zip(old.steps, new.steps, strict=True):
        assert one.top_shapes == other.top_shapes
        for blob, same in zip(one.layer.blobs, other.layer.blobs, strict=True):
            np.testing.assert_array_equal(blob.detach(), same.detach())
    assert done["caffe.Eltwise_304"] == "renamed"


def test_splits_are_those_that_caffe_makes_of_the_new_names() -> None:
    model = read_caffemodel(RELEASED)
    made, done = renamed(model, "readable")
    splits = [layer for layer in made.net.layer if layer.type == "Split"]

    assert all(map(is_automatic, splits))
    assert len(splits) == sum(layer.type == "Split" for layer in model.net.layer)
    assert "res4b22_res4b22_0_split" in [layer.name for layer in splits]
    assert all(layer.HasField("phase") for layer in splits)
    assert done["res4b22_res4b22_0_split"] == "a Split for the new names"
    assert done["caffe.Eltwise_304_caffe.Eltwise_304_0_split"] == "dropped: made anew for the new names"
    assert list(made.net.input) == ["data"]


def test_a_net_without_roles_is_kept_and_the_report_says_so() -> None:
    model = model_of(TEXT.replace('type: "Eltwise"', 'type: "Concat"'))
    report = Report(model)
    made = rename(model, "readable", report)

    assert made.net == model.net
    assert report.notes[-1] == (
        "no residual blocks (two paths that meet in an Eltwise sum) and no attention map to name: "
        "every layer keeps its name (--rename FILE gives others)"
    )
    assert {row.done for row in report.rows(made)} == {"no known role, name kept"}


def test_layers_of_one_name_stay_together(tmp_path: Path) -> None:
    """A net for both phases has two layers called data."""
    model = model_of(TEXT)
    model.net.layer.insert(1, model.net.layer[0])
    made, _ = renamed(model, names(tmp_path, "data image"))

    assert [layer.name for layer in made.net.layer] == ["image", "image", "ip", "relu", "sum"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ip relu", r"names\.txt: expected names that are unique after renaming, found two layers 'relu'"),
        ("ip fc\nsum fc", r"names\.txt: expected names that are unique after renaming, found two layers 'fc'"),
        ("ipp fc", r"names\.txt: no layer or blob 'ipp' in net\.caffemodel; leave it out, or mend its spelling"),
    ],
)
def test_names_that_do_not_fit_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=message):
        renamed(model_of(TEXT), names(tmp_path, text))


def test_blobs_of_one_name_are_refused(tmp_path: Path) -> None:
    model = model_of(TEXT.replace('top: "sum"', 'top: "total"'))
    with pytest.raises(GraphError, match="unique after renaming, found two blobs 'fc'"):
        renamed(model, names(tmp_path, "ip fc\ntotal fc"))

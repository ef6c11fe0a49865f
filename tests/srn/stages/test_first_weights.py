"""A step that starts from weights of another label set."""

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import SolverError
from caffe_compat.net.build import build_net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_weights
from caffe_compat.proto.upgrade import upgrade_net
from caffe_compat.proto.write import write_text, write_weights
from caffe_compat.srn.datasets.scene_rules import SceneRules
from caffe_compat.srn.datasets.scenes import write_scenes
from caffe_compat.srn.stages.first_weights import fit_weights, start_of
from caffe_compat.srn.stages.stages import find_stages
from prototxt_gen.files import generate
from tests.prototxt_gen.generated import Options, net_of

SMALL: Options = {"depth": 26, "width": 1, "head_width": 3, "input_size": 96, "augmentation": "none", "batch_size": 2}
LABELS, OTHER = 20, 7


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with data, and the steps of an SRN for the labels of the data."""
    folder = tmp_path_factory.mktemp("first")
    write_scenes(folder / "data", {"train": 2, "val": 1, "test": 1}, 1, SceneRules())
    write_steps(folder, folder / "data")
    return folder


def write_steps(folder, data, **options):
    for name, message in generate(str(folder), **SMALL | {"labels": LABELS, "data": str(data)} | options).items():
        write_text(folder / name, message)


@pytest.fixture
def stages(made, tmp_path):
    """The steps, with snapshots in a folder of the test's own."""
    found = find_stages(made)
    for stage in found:
        stage.solver.snapshot_prefix = str(tmp_path / Path(stage.solver.snapshot_prefix).name)
    return found


@cache
def weights_of(labels, step, options):
    """The net for so many labels, and weights as its fillers give them."""
    deploy = net_of(generate(labels=labels, step=step, **SMALL | dict(options)), "_test.prototxt")
    upgrade_net(deploy)
    net = build_net(deploy, caffe_pb2.NetState(phase=caffe_pb2.TEST))
    return deploy, {layer: [np.array(blob.data) for blob in blobs] for layer, blobs in net.params.items()}


def trained(tmp_path, labels, step="4", name="trained.caffemodel", **options):
    write_weights(tmp_path / name, *weights_of(labels, step, tuple(options.items())))
    return str(tmp_path / name)


@pytest.mark.parametrize("name", ["trained.caffemodel", "trained.caffemodel.h5"])
def test_layers_that_depend_on_labels_are_left_out(stages, tmp_path, name):
    given = trained(tmp_path, OTHER, name=name)
    fitted = fit_weights(given, stages[3])
    assert fitted.anew == ["cls_fc", "att_conv3", "srn_conv1", "srn_conv2", "srn_fc"]
    assert (fitted.labels, fitted.lacks) == ((OTHER, LABELS), [])
    before, after = ({layer.name: layer.blobs for layer in read_weights(path).layers} for path in (given, fitted.path))
    filled = {layer for layer, blobs in before.items() if blobs} - set(fitted.anew)
    assert {layer for layer, blobs in after.items() if blobs} == filled == fitted.names
    for layer in filled:
        for one, other in zip(before[layer], after[layer], strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_released_layout_is_known_by_its_sizes_too(made, tmp_path):
    options = {"layout": "released", "norm": "bn", "backbone": "resnet"}
    given = trained(tmp_path, OTHER, **options)
    write_steps(tmp_path, made / "data", **options)
    fitted = fit_weights(given, find_stages(tmp_path)[3])
    assert fitted.anew == [
        "cls_fc",
        "att.att_Conv_3",
        "att.feat_Conv_2",
        "comb.comb_Conv_1",
        "comb.comb_InnerProduct_4",
    ]


def test_weights_of_the_same_labels_are_taken_as_they_are(stages, tmp_path):
    given = trained(tmp_path, LABELS)
    fitted = fit_weights(given, stages[0])
    assert (fitted.path, fitted.anew) == (given, [])


def test_other_differences_are_left_to_training(stages, tmp_path):
    given = trained(tmp_path, OTHER, head_width=4)
    assert fit_weights(given, stages[3]).path == given


def test_all_steps_from_a_trained_srn(stages, tmp_path):
    given = trained(tmp_path, OTHER)
    first = start_of(stages[0], stages, given, 1)
    assert first.notes == [
        f"step 1 (resnet101): {given} is for {OTHER} labels, the net for {LABELS}; learned anew: cls_fc"
    ]
    assert first.flags == {"weights": f"{tmp_path}/step_1_resnet101_start.caffemodel"}
    trained(tmp_path, LABELS, "1", name=Path(stages[0].final_weights).name, model="resnet101")
    second = start_of(stages[1], stages, given, 1)
    assert second.flags == {"weights": f"{tmp_path}/step_2_resnet101_att_start.caffemodel,{stages[0].final_weights}"}
    assert second.notes[0].endswith("learned anew: cls_fc, att_conv3, srn_conv1")


def test_imagenet_weights_add_nothing_to_later_steps(stages, tmp_path):
    given = trained(tmp_path, LABELS, "1", model="resnet101")
    shutil.copy(given, stages[0].final_weights)
    assert start_of(stages[1], stages, given, 1).flags == {"weights": stages[0].final_weights}


def test_a_step_in_the_middle(stages, tmp_path):
    assert start_of(stages[3], stages, trained(tmp_path, LABELS), 4).flags["weights"].endswith("trained.caffemodel")
    main = trained(tmp_path, LABELS, "1", model="resnet101")
    assert start_of(stages[1], stages, main, 2).flags == {"weights": main}
    with pytest.raises(
        SolverError, match=r"^step 3 \(resnet101_srn\): expected the weights of step 2 .*, found no such"
    ):
        start_of(stages[2], stages, main, 3)  # it fixes the attention, which these weights lack
    with pytest.raises(SolverError, match=r"^step 2 \(resnet101_att\): expected the weights of step 1"):
        start_of(stages[1], stages, trained(tmp_path, OTHER, "1", model="resnet101"), 2)  # and cls_fc

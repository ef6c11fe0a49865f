import pytest

from caffe_compat.errors import DataError
from caffe_compat.proto.caffe_pb2 import LayerParameter
from caffe_compat.srn.watching.label_losses import check_labels, data_sources, find_label_losses
from tests.srn.watching.multilabel import CLASSES, IMAGES, SECOND_LOSS, make_solver

IGNORING = """
  layer { name: "other" type: "SigmoidCrossEntropyLoss" bottom: "y" bottom: "label" top: "other"
          loss_param { ignore_label: 255 } }
"""


def test_losses_are_called_as_the_prototxt_calls_their_scores() -> None:
    losses = find_label_losses(make_solver(more=SECOND_LOSS).net)
    assert [(loss.layer, loss.name, loss.ignore_label) for loss in losses] == [
        ("loss", "y", None),
        ("loss_z", "z", None),
    ]
    assert losses[0].scores != "y"  # a Split lies between


def test_matrices_have_a_row_for_each_image() -> None:
    solver = make_solver()
    solver.engine.forward()
    scores, labels = find_label_losses(solver.net)[0].matrices(solver.net)
    assert scores.shape == labels.shape == (IMAGES, CLASSES)


@pytest.mark.parametrize("value", [255.0, -1.0, 1.5, float("nan")])
def test_labels_outside_of_0_and_1_are_named(value) -> None:
    net = make_solver(more=SECOND_LOSS).net
    net.blobs["label"].data[2, 1] = value
    net.forward_range(0, len(net.steps) - 1)
    with pytest.raises(
        DataError,
        match=rf"^layer 'loss' \(SigmoidCrossEntropyLoss\): expected labels within 0..1 in blob 'label', found "
        rf"{value:g} in the first batch; write the labels as 0 and 1, or give loss_param ignore_label where",
    ):
        check_labels(net)


def test_soft_labels_and_ignored_ones_pass() -> None:
    net = make_solver(more=IGNORING.replace("other", "only")).net
    net.blobs["label"].data[0, 0] = 0.25
    net.forward_range(0, len(net.steps) - 1)
    check_labels(net)
    net.blobs["label"].data[1, 1] = 255
    net.forward_range(0, len(net.steps) - 1)
    with pytest.raises(DataError, match=r"layer 'loss' .*found 255"):
        check_labels(net)  # the first loss does not ignore it


def test_the_source_of_a_data_layer() -> None:
    layer = LayerParameter(type="Data", data_param={"source": "data/x/train_label_lmdb"})
    assert list(data_sources(layer)) == ["data/x/train_label_lmdb"]
    assert list(data_sources(LayerParameter(type="Input"))) == []

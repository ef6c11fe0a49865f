from caffe_compat.proto.caffe_pb2 import LayerParameter
from caffe_compat.srn.watching.label_losses import data_sources, find_label_losses
from tests.srn.watching.multilabel import CLASSES, IMAGES, SECOND_LOSS, make_solver


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


def test_the_source_of_a_data_layer() -> None:
    layer = LayerParameter(type="Data", data_param={"source": "data/x/train_label_lmdb"})
    assert list(data_sources(layer)) == ["data/x/train_label_lmdb"]
    assert list(data_sources(LayerParameter(type="Input"))) == []

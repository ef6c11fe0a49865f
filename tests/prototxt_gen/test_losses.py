"""Unknown labels have no gradient, in the files for either Caffe."""

import numpy as np
import pytest

from caffe_compat.net.build import build_net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.upgrade import upgrade_net
from prototxt_gen.builder import Maps, NetBuilder
from prototxt_gen.nets import add_losses
from prototxt_gen.options import GeneratorOptions
from tests.prototxt_gen.generated import training_net

TRAIN = caffe_pb2.NetState(phase=caffe_pb2.TRAIN)
IMAGES, LABELS = 3, 4


def loss_net(norm):
    """Scores that learn from inputs, and their loss."""
    net = NetBuilder("loss", norm, 0.9, deploy=False)
    for name, shape in (("data", [IMAGES, 7]), ("label", [IMAGES, LABELS, 1, 1])):
        net.message.input.append(name)
        net.message.input_shape.add(dim=shape)
    net.begin("main", 1.0, released_style=False)
    score = net.inner_product(Maps("data", 7), "y", LABELS)
    add_losses(
        net, {"loss": score}, Maps("label", LABELS), GeneratorOptions(norm=norm, labels=LABELS, unknown_labels=True)
    )
    upgrade_net(net.message)
    return build_net(net.message, TRAIN)


def gradients(norm, labels):
    net = loss_net(norm)
    random = np.random.default_rng(3)
    net.blobs["data"].data[...] = random.normal(size=(IMAGES, 7))
    for number, blob in enumerate(net.params["y"]):
        blob.data[...] = np.random.default_rng(number).normal(size=blob.data.shape)
    net.blobs["label"].data[...] = labels.reshape(IMAGES, LABELS, 1, 1)
    last = len(net.steps) - 1
    loss = net.forward_range(0, last)
    net.clear_parameter_gradients()
    net.backward_range(last, 0)
    return loss, net.blobs["y"].data.copy(), net.params["y"][1].diff.copy()


@pytest.mark.parametrize("norm", ["batchnorm", "bn"])
def test_gradients_are_those_of_known_labels_alone(norm):
    labels = np.array([[1, 0, -1, 1], [-1, -1, 0, 1], [0, 1, 1, -1]], np.float32)
    loss, scores, bias = gradients(norm, labels)
    expected, total = np.zeros(LABELS), 0.0
    for image in range(IMAGES):
        for label in range(LABELS):
            if labels[image, label] != -1:
                probability = 1 / (1 + np.exp(-float(scores[image, label])))
                expected[label] += (probability - labels[image, label]) / IMAGES
                total -= np.log(probability if labels[image, label] else 1 - probability) / IMAGES
    np.testing.assert_allclose(bias, expected, rtol=1e-5, atol=1e-7)
    unknown = (labels == -1).sum() * np.log(2) / IMAGES if norm == "bn" else 0
    np.testing.assert_allclose(loss, total + unknown, rtol=1e-5)


def test_known_labels_alone_need_no_other_layers():
    net = training_net(model="resnet101", labels=4, depth=26, width=4, step="1")
    (loss,) = (m for m in net.layer if m.name == "loss_cls")
    assert (list(loss.bottom), loss.HasField("loss_param")) == (["y_cls", "label"], False)

"""Equations 4 to 10 as loops in float64 over a generated net, and Eq. 5 and 6 as a net."""

import math

import numpy as np
import pytest

from caffe_compat.proto import caffe_pb2
from prototxt_gen.equations import BY_AVERAGE, add_averaged_features
from tests.prototxt_gen.generated import Options, built, predicting_net, take_data_layers, training_net

LABELS, CHANNELS, WIDTH, SIDE = 3, 16, 5, 4
SMALL: Options = {"model": "resnet101_srn", "labels": LABELS, "backbone": "narrow", "width": 4, "head_width": WIDTH,
                  "input_size": 40, "alpha": 0.3}  # fmt: skip


def run(message, data):
    net = built(message)
    net.blobs["data"].reshape(*data.shape)
    net.reshape()
    net.blobs["data"].data[...] = data
    net.forward_range(0, len(net.steps) - 1)
    return net


@pytest.fixture(scope="module")
def net():
    return run(predicting_net(**SMALL), np.random.default_rng(3).normal(0, 60, (2, 3, 40, 40)).astype(np.float32))


def values(net, *names):
    return [net.blobs[name].data.astype(np.float64) for name in names]


def weights(net, name):
    return [blob.data.astype(np.float64) for blob in net.params[name]]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def places():
    return [(i, j) for i in range(5) for j in range(5)]


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=2e-6)


def test_equation_4_softmax_over_space(net):
    z, a = values(net, "att_conv3", "att_map")
    for n in range(2):
        for label in range(LABELS):
            total = sum(math.exp(z[n, label, i, j]) for i, j in places())
            for i, j in places():
                close(a[n, label, i, j], math.exp(z[n, label, i, j]) / total)


def test_equations_5_6_and_7_give_the_same_scores(net):
    x, a, s, y = values(net, "conv5", "att_map", "srn_conv1", "y_att")
    w, b = weights(net, "srn_conv1")
    for n in range(2):
        for label in range(LABELS):
            v = [sum(x[n, k, i, j] * a[n, label, i, j] for i, j in places()) for k in range(CHANNELS)]  # Eq. 5
            by_average = sum(w[label, k, 0, 0] * v[k] for k in range(CHANNELS)) + b[label]  # Eq. 6
            by_place = 0.0  # Eq. 7
            for i, j in places():
                confidence = sum(w[label, k, 0, 0] * x[n, k, i, j] for k in range(CHANNELS)) + b[label]
                close(s[n, label, i, j], confidence)
                by_place += a[n, label, i, j] * confidence
            close(y[n, label], by_average)
            close(y[n, label], by_place)


def test_equation_8_weights_attention_by_confidence(net):
    a, s, u = values(net, "att_map", "srn_conv1", "srn_weighted")
    for index in np.ndindex(2, LABELS, 5, 5):
        close(u[index], sigmoid(s[index]) * a[index])


def test_equation_9_and_figure_4(net):
    """Two 1x1 convolutions over all maps, then four kernels for each channel that cover the whole map, then f_c."""
    (u,), (y,) = values(net, "srn_weighted"), values(net, "y_sr")
    (w2, b2), (w3, b3), (w4, b4), (wf, bf) = (weights(net, f"srn_{name}") for name in ("conv2", "conv3", "conv4", "fc"))
    for n in range(2):
        first, second = np.zeros((WIDTH, 5, 5)), np.zeros((WIDTH, 5, 5))
        for k in range(WIDTH):
            for i, j in places():
                first[k, i, j] = max(0, sum(w2[k, c, 0, 0] * u[n, c, i, j] for c in range(LABELS)) + b2[k])
        for k in range(WIDTH):
            for i, j in places():
                second[k, i, j] = max(0, sum(w3[k, c, 0, 0] * first[c, i, j] for c in range(WIDTH)) + b3[k])
        neurons = [
            max(0, sum(w4[m, 0, i, j] * second[m // 4, i, j] for i, j in places()) + b4[m]) for m in range(4 * WIDTH)
        ]
        for label in range(LABELS):
            close(y[n, label], sum(wf[label, m] * neurons[m] for m in range(4 * WIDTH)) + bf[label])


def test_section_3_4_adds_both_scores(net):
    y, y_cls, y_sr = values(net, "y", "y_cls", "y_sr")
    for index in np.ndindex(2, LABELS):
        close(y[index], 0.3 * y_cls[index] + 0.7 * y_sr[index])


def test_equation_10_is_the_loss_with_its_sign_turned():
    """The training net of step 4, its data replaced: F_loss(y, y_hat) + F_loss(y, y_att), for the mean image."""
    message = training_net(**SMALL, step="4", batch_size=2, test_split="test")
    take_data_layers(message)
    for name, shape in (("data", [2, 3, 40, 40]), ("label", [2, LABELS])):
        message.input.append(name)
        message.input_shape.add(dim=shape)
    net = built(message, caffe_pb2.TRAIN)
    random = np.random.default_rng(4)
    net.blobs["data"].data[...] = random.normal(0, 60, (2, 3, 40, 40))
    net.blobs["label"].data[...] = [[1, 0, 1], [0, 0, 1]]
    net.forward_range(0, len(net.steps) - 1)
    (label,) = values(net, "label")
    for loss, score in (("loss", "y"), ("loss_att", "y_att")):
        (y_hat,) = values(net, score)
        likelihood = 0.0
        for index in np.ndindex(2, LABELS):
            likelihood += label[index] * math.log(sigmoid(y_hat[index]))
            likelihood += (1 - label[index]) * math.log(1 - sigmoid(y_hat[index]))
        close(float(net.blobs[loss].data), -likelihood / 2)


def test_equations_5_and_6_as_a_net(net):
    message = predicting_net(**SMALL)
    add_averaged_features(message)
    checked = run(message, net.blobs["data"].data.copy())
    by_average, y_att = values(checked, BY_AVERAGE, "y_att")
    close(by_average, y_att)
    assert np.abs(y_att).max() > 0.01


def test_equations_5_and_6_as_a_net_with_a_residual_backbone():
    message = predicting_net(model="resnet101_srn", labels=2, depth=26, width=2, input_size=64)
    add_averaged_features(message)
    checked = run(message, np.random.default_rng(6).normal(0, 60, (1, 3, 64, 64)).astype(np.float32))
    by_average, y_att = values(checked, BY_AVERAGE, "y_att")
    close(by_average, y_att)

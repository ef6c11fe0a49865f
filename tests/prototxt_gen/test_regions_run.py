"""The nets of R-CNN, R*CNN and DHC in our runtime: scores against loops, and what a region can see."""

import numpy as np
import pytest
import torch

from caffe_compat.proto import caffe_pb2
from tests.prototxt_gen.generated import Options, built, predicting_net, take_data_layers, training_net

SIDE, PEOPLE = 88, 3
SMALL: Options = {"labels": 5, "backbone": "narrow", "width": 4, "input_size": SIDE, "bins": 2}
COUNTS = {"around": 4, "parts": 3, "neighbours": 2, "scenes": 6}
BOXES = {"r_cnn": 1, "r_star_cnn": 5, "dhc": 1 + 3 + 6 + 1}


def random_boxes(count, seed):
    """Rows (count * PEOPLE, 5), region by region: the image of each person, then a box within the photograph."""
    random = np.random.default_rng(seed)
    corners = np.sort(random.integers(0, SIDE, (count * PEOPLE, 2, 2)), axis=1).reshape(-1, 4)
    return np.concatenate([np.tile(np.arange(PEOPLE), count)[:, None], corners], axis=1)


def run(model, seed=1):
    """The net that predicts after a pass over three people with random boxes."""
    net = built(predicting_net(model=model, **SMALL | COUNTS), seed=seed)
    net.blobs["data"].reshape(PEOPLE, 3, SIDE, SIDE)
    net.blobs["rois"].reshape(BOXES[model] * PEOPLE, 5)
    net.reshape()
    net.blobs["data"].data[...] = np.random.default_rng(seed).normal(0, 1, (PEOPLE, 3, SIDE, SIDE))
    net.blobs["rois"].data[...] = random_boxes(BOXES[model], seed)
    net.forward_range(0, len(net.steps) - 1)
    return net


def features(net, region):
    """The features (PEOPLE, channels) of one region of each person."""
    return net.blobs["pool5"].data.reshape(-1, PEOPLE, 16)[region]


def classified(net, layer, values):
    weight, bias = (blob.data for blob in net.params[layer])
    return values @ weight.T + bias


def test_r_cnn_scores_the_persons_box_alone():
    net = run("r_cnn")
    assert net.blobs["y"].data == pytest.approx(classified(net, "person_fc", features(net, 0)), rel=1e-5, abs=1e-6)


def test_r_star_cnn_adds_the_best_region_around_for_each_attribute():
    net = run("r_star_cnn")
    around = [classified(net, "around_fc", features(net, 1 + number)) for number in range(4)]
    expected = np.zeros((PEOPLE, 5))
    for person in range(PEOPLE):
        for label in range(5):
            primary = classified(net, "person_fc", features(net, 0))[person, label]
            expected[person, label] = primary + max(scores[person, label] for scores in around)
    assert net.blobs["y"].data == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert len({int(np.argmax([s[0, label] for s in around])) for label in range(5)}) > 1  # not one for all attributes


def test_dhc_adds_the_best_part_with_the_people_near_and_the_scene():
    net = run("dhc")
    expected = classified(net, "person_fc", features(net, 0)).astype(np.float64)
    of_parts = []
    for part in range(3):
        near = np.mean([features(net, 4 + 2 * part + neighbour) for neighbour in range(2)], axis=0)
        of_parts.append(classified(net, "part_fc", features(net, 1 + part)) + classified(net, "near_fc", near))
    expected += np.max(of_parts, axis=0)
    scene = torch.softmax(torch.from_numpy(classified(net, "scene_fc", features(net, 10))), 1).numpy()
    expected += classified(net, "rescore_fc", scene)
    assert net.blobs["y"].data == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert net.outputs[0] == "y"


def test_r_cnn_sees_the_box_and_a_few_pixels_around():
    """By gradient: with a field of 15 pixels and places 8 apart, nothing 16 pixels away reaches the score."""
    net = run("r_cnn")
    left, top, right, bottom = 32, 40, 39, 55
    data = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1), requires_grad=True)
    values = {"data": data, "rois": torch.tensor([[0.0, left, top, right, bottom]])}
    for step in net.steps:
        if not step.layer.is_input:
            tops = step.layer(*(values[bottom_name] for bottom_name in step.bottoms))
            values.update(zip(step.tops, tops if isinstance(tops, tuple) else (tops,), strict=True))
    (gradient,) = torch.autograd.grad(values["y"].abs().sum(), data)
    rows, columns = gradient[0].abs().sum(0).nonzero().unbind(1)
    assert len(rows) > 0
    assert (int(columns.min()) > left - 8, int(columns.max()) < right + 9) == (True, True)
    assert (int(rows.min()) > top - 8, int(rows.max()) < bottom + 9) == (True, True)


@pytest.mark.parametrize("model", BOXES)
def test_gradients_reach_all_that_a_net_learns(model):
    trainval = training_net(model=model, **SMALL | COUNTS, batch_size=PEOPLE, iter_size=1)
    names = take_data_layers(trainval)
    channels = {"around_box": 16, "part_box": 12, "neighbour_box": 24, "person_box": 4, "label": 5, "scene_label": 1}
    for name in names:
        trainval.input.append(name)
        size = (3, SIDE, SIDE) if name == "data" else (channels[name], 1, 1)
        trainval.input_shape.add(dim=[PEOPLE, *size])
    net = built(trainval, caffe_pb2.TRAIN, seed=2)
    random = np.random.default_rng(3)
    net.blobs["data"].data[...] = random.normal(0, 1, net.blobs["data"].shape)
    for name in set(names) - {"data", "label", "scene_label"}:
        corners = np.sort(random.integers(0, SIDE, (PEOPLE, channels[name] // 4, 2, 2)), axis=2)
        net.blobs[name].data[...] = corners.reshape(net.blobs[name].shape)
    net.blobs["label"].data[...] = random.integers(0, 2, net.blobs["label"].shape)
    last = len(net.steps) - 1
    assert net.forward_range(0, last) > 0
    rois = net.blobs["rois"].data.reshape(-1, PEOPLE, 5)
    assert rois.shape[0] == BOXES[model]
    assert (rois[:, :, 0] == np.arange(PEOPLE)).all()
    assert (rois[0, :, 1:] == net.blobs["person_box"].data[:, :, 0, 0]).all()
    if model == "dhc":
        assert (rois[-1, :, 1:] == [0, 0, SIDE - 1, SIDE - 1]).all()
        assert (rois[5, :, 1:] == net.blobs["neighbour_box"].data[:, 4:8, 0, 0]).all()
    net.clear_parameter_gradients()
    net.backward_range(last, 0)
    learned = {layer.name for layer in trainval.layer if any(block.lr_mult for block in layer.param)}
    moved = {layer for layer, blobs in net.params.items() if any(blob.diff.any() for blob in blobs)}
    assert moved == learned

"""Beam search over label paths, against all paths and against the net that trains."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn.functional import softmax

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.write import write_text
from caffe_compat.srn.prediction.label_paths import LabelPath, NextLabels, PathNet, label_scores, search_paths
from prototxt_gen import generate
from tests.prototxt_gen.generated import Options, built, net_of, take_data_layers

LABELS, LONGEST = 4, 3


def table(seed):
    """Random probabilities of the next token for each prefix, as a step function whose states are the prefix."""
    rows: dict[tuple[int, ...], np.ndarray] = {}

    def of(prefix):
        random = np.random.default_rng([seed, *prefix])
        return rows.setdefault(prefix, random.dirichlet(np.ones(LABELS + 1)))

    def step(tokens, states):
        before = [()] if states is None else [tuple(row[row > 0].astype(int)) for row in states[0]]
        prefixes = before if states is None else [(*one, int(token)) for one, token in zip(before, tokens, strict=True)]
        hidden = np.zeros((len(prefixes), LONGEST + 1), np.float32)
        for row, prefix in zip(hidden, prefixes, strict=True):
            row[: len(prefix)] = prefix
        return NextLabels(np.array([of(prefix) for prefix in prefixes], np.float32), hidden, hidden)

    return step, of


def all_paths(of):
    """Every path without a repeated label and its probability, by loops; the longest have no end."""
    found = {}
    for length in range(LONGEST + 1):
        for labels in itertools.permutations(range(LABELS), length):
            tokens = [label + 1 for label in labels]
            steps = [of(tuple(tokens[:place]))[token] for place, token in enumerate(tokens)]
            if length < LONGEST:
                steps.append(of(tuple(tokens))[0])
            found[labels] = float(np.prod(steps))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_the_best_of_all_paths(seed):
    step, of = table(seed)
    found = search_paths(step, 60, LONGEST)
    every = all_paths(of)
    best = sorted(every, key=lambda labels: -every[labels])[:6]
    assert [path.labels for path in found[:6]] == best
    assert [path.probability for path in found[:6]] == pytest.approx([every[labels] for labels in best], rel=1e-5)


def test_a_narrow_beam_keeps_its_width_and_takes_the_likeliest_step():
    step, of = table(9)
    (greedy,) = search_paths(step, 1, LONGEST)
    tokens: list[int] = []
    while len(tokens) < LONGEST:
        steps = of(tuple(tokens)).copy()
        steps[tokens] = 0
        token = int(steps.argmax())
        if token == 0:
            break
        tokens.append(token)
    assert greedy.labels == tuple(token - 1 for token in tokens)


def test_scores_are_shares_of_the_paths():
    first = LabelPath((2, 0), (0.5, 0.4, 0.9), np.array([0.4, 0.3, 0.5, 0.2]), ended=True)
    second = LabelPath((2,), (0.5, 0.2), np.array([0.4, 0.1, 0.5, 0.1]), ended=True)
    weight = 0.18 / (0.18 + 0.1)
    share = np.array([weight + (1 - weight) * 0.4, weight * 0.3 + (1 - weight) * 0.1, 1 - 1e-6, 0])
    share[3] = weight * 0.2 + (1 - weight) * 0.1
    assert label_scores([first, second]) == pytest.approx(np.log(share / (1 - share)))


def test_paths_without_probability_still_have_scores():
    path = LabelPath((1,), (0.0, 0.0), np.array([0.0, 0.2]), ended=True)
    assert np.isfinite(label_scores([path])).all()


SMALL: Options = {
    "model": "cnn_rnn",
    "labels": LABELS,
    "backbone": "narrow",
    "width": 3,
    "input_size": 40,
    "embedding": 6,
}
STEPS = 4


@pytest.fixture
def nets(tmp_path):
    """The training net of step 2 after a pass over random images and two known paths, and the path net's files."""
    made = generate(**SMALL, hidden=5, path_steps=STEPS, batch_size=2, iter_size=1)
    trainval = net_of(made, "step_2_cnn_rnn_trainval.prototxt")
    inputs = {"data": (2, 3, 40, 40), "label": (2, LABELS, 1, 1), "path": (2, STEPS, 1, 1)}
    take_data_layers(trainval)
    for name, shape in inputs.items():
        trainval.input.append(name)
        trainval.input_shape.add(dim=shape)
    net = built(trainval, caffe_pb2.TRAIN, seed=4)
    random = np.random.default_rng(4)
    for name, blobs in net.params.items():
        for blob in blobs:
            is_norm = net.step_of(name).layer.spec.type == "BatchNorm"
            blob.data[...] = 1 if is_norm else random.normal(0, 0.5, blob.data.shape)
    net.params["path_scores"][0].data[...] = net.params["label_embedding"][0].data
    net.blobs["data"].data[...] = random.normal(0, 1, inputs["data"])
    net.blobs["path"].data[...] = np.array([[3, 1, 0, -1], [2, 0, -1, -1]])[..., None, None]
    net.forward_range(0, len(net.steps) - 1)
    net.save(str(tmp_path / "trained.caffemodel"))
    write_text(tmp_path / "path.prototxt", made["custom_cnn_rnn_path_test.prototxt"])
    return net, tmp_path


def test_the_net_reads_a_path_one_step_late_and_predicts_it(nets):
    net, _ = nets
    assert net.blobs["token"].data.tolist() == [[0, 0], [3, 2], [1, 0], [0, 0]]
    assert net.blobs["next"].data.tolist() == [[3, 2], [1, 0], [0, -1], [-1, -1]]
    assert net.blobs["path_mark"].data.tolist() == [[0, 0], [1, 1], [1, 1], [1, 1]]


def test_the_loss_counts_the_labels_and_the_ends_alone(nets):
    net, _ = nets
    scores = torch.from_numpy(net.blobs["path_scores"].data.copy()).double()
    counted = [(0, 0, 3), (1, 0, 1), (2, 0, 0), (0, 1, 2), (1, 1, 0)]
    logarithms = [softmax(scores[step, image], 0)[token].log() for step, image, token in counted]
    assert float(net.blobs["loss_path"].data) == pytest.approx(-float(sum(logarithms)) / len(counted), rel=1e-5)


def test_the_scores_are_those_of_the_equations(nets):
    """s = U_l^T relu(U_o o + U_I I), by loops over steps and images."""
    net, _ = nets
    (weight, bias), (embedding,) = net.params["path_output"], net.params["label_embedding"]
    hidden, image = net.blobs["path_lstm"].data, net.blobs["image_embedding"].data
    for step in range(STEPS):
        for number in range(2):
            joint = np.maximum(weight.data @ hidden[step, number] + bias.data + image[number], 0)
            expected = embedding.data @ joint
            assert net.blobs["path_scores"].data[step, number] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_one_step_at_a_time_is_the_net_that_trains(nets):
    """Along both true paths at once, with the states passed on as a beam search does."""
    net, folder = nets
    stepping = PathNet(str(folder / "path.prototxt"), str(folder / "trained.caffemodel"))
    for number, path in enumerate([[3, 1], [2]]):
        step = stepping.next_label(net.blobs["image_embedding"].data[number])
        found = step(np.array([0]), None)
        for place, token in enumerate([*path, None]):
            scores = torch.from_numpy(net.blobs["path_scores"].data[place, number].copy())
            assert found.probabilities[0] == pytest.approx(softmax(scores, 0).numpy(), abs=1e-6)
            if token is not None:
                twice = found.hidden[[0, 0]], found.cell[[0, 0]]
                found = step(np.array([token, 4]), twice)


def test_a_search_through_the_net_ends(nets):
    net, folder = nets
    stepping = PathNet(str(folder / "path.prototxt"), str(folder / "trained.caffemodel"))
    paths = search_paths(stepping.next_label(net.blobs["image_embedding"].data[0]), 3, 4)
    assert 1 <= len(paths) <= 3
    assert all(len(set(path.labels)) == len(path.labels) for path in paths)
    assert sum(path.probability for path in paths) <= 1


def test_the_embedding_gets_the_gradient_of_both_of_its_uses(nets):
    """Against differences of the loss for token 3, which image 0 reads and both images score."""
    net, _ = nets
    last, embedding = len(net.steps) - 1, net.params["label_embedding"][0]
    net.clear_parameter_gradients()
    net.forward_range(0, last)
    net.backward_range(last, 0)
    gradient = embedding.diff[3].copy()
    for column, expected in enumerate(gradient):
        losses = []
        for step in (-1e-2, 1e-2):
            embedding.data[3, column] += step
            losses.append(net.forward_range(0, last))
            embedding.data[3, column] -= step
        assert (losses[1] - losses[0]) / 2e-2 == pytest.approx(expected, rel=0.02, abs=1e-3)
    assert not any(blob.diff.any() for name in ("conv1", "cls_fc") for blob in net.params[name])

import numpy as np

from caffe_compat.srn.datasets.scene_rules import ANCHORS, CLASS_NAMES, COMPANIONS, SceneRules, draw_scene

RANDOM_SEED = 5


def scenes(number, **rules):
    random = np.random.default_rng(RANDOM_SEED)
    return [draw_scene(SceneRules(**rules), random) for _ in range(number)]


def sides(number, **rules):
    """Pairs (label's side, true side) of all companions."""
    return [
        (CLASS_NAMES[companion.labels[1]].split()[1], "right" if companion.column > scene[0].column else "left")
        for scene in scenes(number, **rules)
        for companion in scene[1:]
    ]


def test_a_scene_is_an_anchor_and_one_to_three_different_companions_in_cells_of_their_own():
    drawn = scenes(300)

    for anchor, *companions in drawn:
        assert anchor.digit in ANCHORS
        assert [CLASS_NAMES[label] for label in anchor.labels] == [str(anchor.digit)]
        assert not anchor.degraded
        assert len({companion.digit for companion in companions}) == len(companions)
        assert all(companion.digit in COMPANIONS for companion in companions)
        for companion in companions:
            present, side = (CLASS_NAMES[label] for label in companion.labels)
            assert (present, side.split()[0]) == (str(companion.digit),) * 2
        assert all(companion.column != anchor.column for companion in companions)
        assert len({(digit.row, digit.column) for digit in (anchor, *companions)}) == 1 + len(companions)
    assert {len(scene) for scene in drawn} == {2, 3, 4}


def test_the_side_of_the_anchor_decides_between_labels():
    assert all(label == side for label, side in sides(200))


def test_in_the_control_a_coin_decides_and_nothing_else_changes():
    pairs = sides(2000, position_rule=False)
    rightward = np.mean([label == "right" for label, _ in pairs])
    agreement = np.mean([label == side for label, side in pairs])

    # Four standard deviations of about 4,000 coins.
    assert abs(rightward - 0.5) < 0.032
    assert abs(agreement - 0.5) < 0.032
    assert (
        abs(np.mean([side == "right" for _, side in pairs]) - np.mean([s == "right" for _, s in sides(2000)])) < 0.045
    )


def test_anchors_meet_their_favourites_three_times_in_four():
    alone = [(scene[0].digit, scene[1].digit) for scene in scenes(4000, most_companions=1)]
    favourite = np.mean([(companion - 5 - anchor) % 5 in (1, 3) for anchor, companion in alone])

    assert abs(favourite - (0.75 + 0.25 * 2 / 5)) < 0.03


def test_some_companions_are_degraded():
    companions = [companion for scene in scenes(1500, degraded=0.3) for companion in scene[1:]]

    assert abs(np.mean([companion.degraded for companion in companions]) - 0.3) < 0.035

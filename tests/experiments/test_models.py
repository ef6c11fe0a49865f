import pytest

from caffe_compat.experiments.demo.recipe import BASELINE, FULL, SRN, TINY
from caffe_compat.experiments.models import deploy_net, write_models
from caffe_compat.net.build import load_net
from caffe_compat.proto.read import read_net
from caffe_compat.srn.stages.stages import find_stages


def test_steps_have_the_recipes_epochs_and_rates(tmp_path):
    arm = FULL.arms[SRN]
    write_models(tmp_path, arm, FULL.setting, seed=3)
    stages = find_stages(tmp_path / "models")

    assert len(stages) == len(arm.steps) == 4
    for stage, step in zip(stages, arm.steps, strict=True):
        iterations = step.epochs * 38  # 1,200 scenes in batches of 32
        assert stage.solver.max_iter == iterations
        assert stage.solver.base_lr == pytest.approx(step.rate)
        assert list(stage.solver.stepvalue) == [int(0.65 * iterations), int(0.9 * iterations)]
        assert (stage.solver.random_seed, stage.solver.snapshot) == (3, 0)
        assert stage.final_weights.startswith("models/step_")


def test_images_and_labels_are_shuffled_for_training_alone(tmp_path):
    write_models(tmp_path, TINY.arms[BASELINE], TINY.setting, seed=3)
    net = read_net(str(tmp_path / "models" / "step_1_resnet101_trainval.prototxt"))

    sources = {layer.data_param.source: layer.data_param.shuffle for layer in net.layer if layer.type == "Data"}
    assert sources == {
        "../data/train_image_lmdb": True, "../data/train_label_lmdb": True,
        "../data/val_image_lmdb": False, "../data/val_label_lmdb": False,
    }  # fmt: skip


def test_both_arms_train_for_the_same_number_of_epochs():
    for recipe in (FULL, TINY):
        assert recipe.arms[BASELINE].epochs == recipe.arms[SRN].epochs


def test_the_deploy_net_gives_the_arms_outputs(tmp_path):
    for name, arm in TINY.arms.items():
        write_models(tmp_path / name, arm, TINY.setting, seed=0)
        net = load_net(str(deploy_net(tmp_path / name, arm)), "TEST")

        assert net.outputs[0] == arm.outputs[0]
        assert all(net.blobs[output].shape == (1, 20) for output in arm.outputs)

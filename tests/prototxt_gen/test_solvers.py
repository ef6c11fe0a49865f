import pytest

from prototxt_gen import generate
from tests.prototxt_gen.generated import solver_of


def solver(step=1, model="resnet101_srn", folder="", **options):
    return solver_of(generate(folder=folder, model=model, step=str(step), **options))


def test_the_papers_hyper_parameters():
    made = solver(dataset="coco")
    assert (made.momentum, made.base_lr) == pytest.approx((0.9, 1e-3))
    assert (made.weight_decay, made.gamma) == pytest.approx((5e-4, 0.1))
    assert made.lr_policy == "multistep"
    assert len(made.stepvalue) == 2, "1e-3, 1e-4, 1e-5"
    assert 24 * made.iter_size == 96


@pytest.mark.parametrize(("gpus", "batch", "iter_size"), [(4, 24, 1), (1, 8, 12), (2, 16, 3), (1, 96, 1)])
def test_effective_batch_is_96(gpus, batch, iter_size):
    assert solver(dataset="coco", gpus=gpus, batch_size=batch).iter_size == iter_size


def test_lengths_follow_the_dataset():
    made = solver(labels=5, train_images=1000, test_images=250, batch_size=32)
    assert made.test_interval == 11, "ceil(1000 / 96)"
    assert list(made.test_iter) == [8]
    assert made.max_iter == 30 * 11
    assert list(made.stepvalue) == [165, 264]
    assert made.snapshot == 55


def test_length_given():
    made = solver(labels=5, max_iter=7, base_lr=0.02, random_seed=3, solver_mode="CPU", batch_size=6, iter_size=2)
    assert (made.max_iter, list(made.stepvalue), made.snapshot, made.iter_size) == (7, [3, 5], 7, 2)
    assert (made.random_seed, made.solver_mode) == (3, 0)
    assert made.base_lr == pytest.approx(0.02)


def test_no_rate_drops_before_the_first_iteration():
    assert list(solver(labels=5, max_iter=1).stepvalue) == []


def test_paths_lead_to_the_folder():
    made = solver(step=2, dataset="coco", folder="models/coco/resnet101_srn")
    assert made.net == "models/coco/resnet101_srn/step_2_resnet101_att_trainval.prototxt"
    assert made.snapshot_prefix == "models/coco/resnet101_srn/step_2_resnet101_att"


def test_the_forks_solver_names_its_gpus():
    assert list(solver(dataset="coco", norm="bn", gpus=4).device_id) == [0, 1, 2, 3]
    assert list(solver(dataset="coco", gpus=4).device_id) == []


def test_plateau_is_our_extension():
    made = solver(labels=5, lr_policy="plateau", train_images=1000)
    assert (made.lr_policy, made.stepsize, list(made.stepvalue)) == ("plateau", 3 * made.test_interval, [])

"""The solver of a step: SGD with the paper's batch of 96, momentum, decay and rates (section 3.4)."""

import math
from typing import Any

from caffe_compat.proto import caffe_pb2
from prototxt_gen.options import GeneratorOptions
from prototxt_gen.recipes import TrainingStep

#: Fractions of a run after which the rate drops to a tenth: 1e-3, 1e-4, 1e-5. The paper waits for the validation loss.
RATE_DROPS = (0.5, 0.8)
SNAPSHOT_EPOCHS = 5
PATIENCE_EPOCHS = 3  # for lr_policy plateau


def solver(
    options: GeneratorOptions, step: TrainingStep, net_path: str, snapshot_prefix: str
) -> caffe_pb2.SolverParameter:
    """The solver of a step, with fields that both dialects have; SGD is their default type.

    `net_path` and `snapshot_prefix` are written unchanged.
    """
    batch = options.gpus * options.batch_size * options.iter_size
    epoch = math.ceil(options.train_images / batch)
    max_iter = options.max_iter or step.epochs * epoch
    return caffe_pb2.SolverParameter(
        net=net_path,
        test_iter=[math.ceil(options.test_images / options.batch_size)],
        test_interval=epoch,
        test_initialization=False,
        base_lr=options.base_lr,
        max_iter=max_iter,
        **_policy(options, max_iter, epoch),
        momentum=0.9,
        weight_decay=5e-4,
        iter_size=options.iter_size,
        display=20,
        average_loss=20,
        snapshot=min(SNAPSHOT_EPOCHS * epoch, max_iter),
        snapshot_prefix=snapshot_prefix,
        solver_mode=options.solver_mode,
        **_machine(options),
    )


def _policy(options: GeneratorOptions, max_iter: int, epoch: int) -> dict[str, Any]:
    fields: dict[str, Any] = {"lr_policy": options.lr_policy, "gamma": 0.1}
    if options.lr_policy == "plateau":
        return fields | {"stepsize": PATIENCE_EPOCHS * epoch}
    drops = (int(part * max_iter) for part in RATE_DROPS)
    return fields | {"stepvalue": [iteration for iteration in drops if iteration]}


def _machine(options: GeneratorOptions) -> dict[str, Any]:
    """Seed and GPUs: the Caffe of the released code reads GPUs from the solver, BVLC Caffe from --gpu."""
    fields: dict[str, Any] = {"random_seed": options.random_seed} if options.random_seed >= 0 else {}
    if options.norm == "bn" and options.gpus > 1:
        fields["device_id"] = list(range(options.gpus))
    return fields

"""--cache-features: a training computes the fixed part of its net once for each image.

It stands apart because nothing else in a training knows which engine runs.
"""

import logging
import platform
from collections.abc import Iterator
from contextlib import contextmanager

from caffe_compat.engine.fast import FastEngine
from caffe_compat.engine.passes.keep_features import FeatureStore
from caffe_compat.errors import FieldError, MissingFeatureError
from caffe_compat.solvers.solver import Solver

logger = logging.getLogger("caffe_compat")


@contextmanager
def cached_features(solver: Solver) -> Iterator[None]:
    """Keeps features while the block runs, and logs at its end what that saved.

    FieldError for random crops, since each epoch then has other images; MissingFeatureError for another engine
    than fast. Where no layers are fixed, a warning says so.
    """
    engine = solver.engine
    if not isinstance(engine, FastEngine):
        raise MissingFeatureError("--cache-features needs an engine that fuses layers: --engine fast or fast-bf16")
    here = platform.node()
    store = FeatureStore(processes=solver.workers.gather(here).count(here))
    if not engine.keep_features(store):
        logger.warning(
            "--cache-features has no effect: no layers with weights are fixed below those that learn, or that compute "
            "with the whole batch (BatchNorm with use_global_stats: false) or a state (LSTM)"
        )
        yield
        return
    _refuse_augmentation(solver)
    logger.info("Features of %d fixed layers are kept, up to %.0f MB", store.layers, store.most / 1e6)
    yield
    logger.info("%s", store.summary())


def _refuse_augmentation(solver: Solver) -> None:
    """FieldError for random crops. A mirror is no obstacle: it makes two images of one."""
    for step in solver.net.steps:
        if getattr(step.layer, "views_per_item", 1) is None:
            raise FieldError(
                f"{step.layer.spec}: random crops or windows give other images in each epoch, so that features cannot "
                "be cached; take them out (generate --augmentation none) or train without --cache-features"
            )

"""Random inputs that a net takes: like images, but whole numbers of the right range where a layer looks things up."""

from collections.abc import Callable
from typing import Any

import numpy as np

from caffe_compat.convert.assemble import Assembly
from caffe_compat.graph.step import Step


def _rows(step: Step) -> int:
    layer: Any = step.layer
    return int(layer.inputs)


def _items(step: Step) -> int:
    return step.bottom_shapes[0][0]


def _yes_or_no(_: Step) -> int:
    return 2


#: By layer type, which bottom holds whole numbers, and below which number they lie.
WHOLE_NUMBERS: dict[str, tuple[int, Callable[[Step], int]]] = {
    "Embed": (0, _rows),
    "BatchReindex": (1, _items),
    "ROIPooling": (1, _items),
    "LSTM": (1, _yes_or_no),
    "RNN": (1, _yes_or_no),
    "Filter": (-1, _yes_or_no),
}


def sample_inputs(net: Assembly, seed: int) -> dict[str, np.ndarray]:
    """Values by input: within about a hundred of 0, or whole numbers from 0 on below what their readers allow."""
    generator = np.random.default_rng(seed)
    limits = _limits(net)
    return {
        name: (generator.integers(0, limits[name], shape) if name in limits else generator.normal(0, 50, shape)).astype(
            np.float32
        )
        for name, shape in net.inputs.items()
    }


def _limits(net: Assembly) -> dict[str, int]:
    limits: dict[str, int] = {}
    for step in net.steps:
        if step.layer.spec.type in WHOLE_NUMBERS:
            bottom, limit = WHOLE_NUMBERS[step.layer.spec.type]
            name = step.bottoms[bottom]
            limits[name] = min(limit(step), limits.get(name, limit(step)))
    return limits

"""Random inputs that a net takes: like images, but whole numbers of the right range where a layer looks things up."""

import numpy as np

from caffe_compat.convert.assemble import Assembly


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
    """The bound that the whole numbers of a blob lie below: the least that a reader of the blob states."""
    limits: dict[str, int] = {}
    for step in net.steps:
        for bottom, limit in step.layer.whole_numbers(*step.bottom_shapes).items():
            name = step.bottoms[bottom]
            limits[name] = min(limit, limits.get(name, limit))
    return limits

"""Generators go on where they were."""

import json
import random

import numpy as np
import torch

from caffe_compat.solvers.random_states import capture, restore

CPU = torch.device("cpu")


def draw() -> list[float]:
    return [float(torch.rand(())), float(torch.randn(())), np.random.rand(), np.random.randn(), random.random()]


def test_generators_go_on_where_they_were_after_a_way_through_json() -> None:
    draw()
    states = json.loads(json.dumps(capture(CPU)))
    first = draw()
    draw()
    restore(states, CPU)
    assert draw() == first

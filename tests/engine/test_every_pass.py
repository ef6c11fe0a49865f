"""Every pass of the fast engine has a file of its name, and a net here that it rewrites to the same results."""

from collections.abc import Callable

import pytest

from caffe_compat.engine.fast import PASSES
from caffe_compat.engine.plan import Plan, plan_steps
from tests.engine.nets import build

IMAGES = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 4 } } }'
CONVOLUTION = """layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }"""
NORMALISED = """layer { name: "n" type: "BatchNorm" bottom: "c" top: "c" }
  layer { name: "s" type: "Scale" bottom: "c" top: "c" }"""
RELU = 'layer { name: "r" type: "ReLU" bottom: "c" top: "c" }'
MADE = 'layer { name: "d" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: 3 dim: 5 dim: 4 } } }'
ADDED = """layer { name: "d" type: "Convolution" bottom: "x" top: "d"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
  layer { name: "e" type: "Eltwise" bottom: "c" bottom: "d" top: "e" loss_weight: 1 }"""
STRIDED = """layer { name: "p" type: "Convolution" bottom: "c" top: "p" convolution_param {
    num_output: 2 kernel_size: 1 stride: 2 weight_filler { type: "xavier" } } }
  layer { name: "q" type: "Convolution" bottom: "c" top: "q" convolution_param {
    num_output: 2 kernel_size: 1 stride: 2 weight_filler { type: "xavier" } } }
  layer { name: "e" type: "Eltwise" bottom: "q" bottom: "p" top: "e" loss_weight: 1 }"""
UNUSED = 'layer { name: "q" type: "Sigmoid" bottom: "x" top: "q" } layer { name: "z" type: "Silence" bottom: "q" }'
#: For each pass: a net that it rewrites, and whether the net learns.
SHOWS = {
    "drop_unneeded": (IMAGES + CONVOLUTION + UNUSED, False),
    "fold_normalization": (IMAGES + CONVOLUTION + NORMALISED, False),
    "fuse_normalization": (IMAGES + CONVOLUTION + NORMALISED, True),
    "pack_convolutions": (IMAGES + CONVOLUTION + RELU, False),
    "share_bottoms": (IMAGES + CONVOLUTION + STRIDED, True),
    "in_place": (IMAGES + CONVOLUTION + ADDED, True),
    "channels_last": (MADE + CONVOLUTION, False),
}


def plan_before(name: str, text: str, learns: bool) -> Plan:
    """The plan as the passes before this one leave it."""
    net = build(text, "TRAIN" if learns else "TEST")
    plan = plan_steps(net.steps, net.outputs, learns)
    for rewrite in PASSES:
        if rewrite.__name__ == name:
            break
        plan = rewrite(plan)
    return plan


def test_every_pass_shows_what_it_does() -> None:
    assert [rewrite.__name__ for rewrite in PASSES] == list(SHOWS), "add a net that shows the new pass to SHOWS"


@pytest.mark.parametrize("rewrite", PASSES, ids=lambda rewrite: rewrite.__name__)
def test_a_pass_has_a_file_of_its_name_and_rewrites_its_net(rewrite: Callable[[Plan], Plan]) -> None:
    name = rewrite.__name__
    assert rewrite.__module__ == f"caffe_compat.engine.passes.{name}"
    before = plan_before(name, *SHOWS[name])
    after = rewrite(before)
    assert after.operations != before.operations

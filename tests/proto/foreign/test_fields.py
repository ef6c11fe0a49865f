"""Fields of other Caffes: each is either left out or refused, and none is in the schema."""

import pytest

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.foreign.fields import (
    NO_EFFECT,
    REFUSED,
    UNUSED_AT,
    fork_of_field,
    fork_of_field_without_effect,
    is_unused_at,
)

MESSAGES = caffe_pb2.DESCRIPTOR.message_types_by_name
LEFT_OUT = [name for names in NO_EFFECT.values() for name in names]
WRONG = [name for names in REFUSED.values() for name in names]


def test_no_field_is_named_twice() -> None:
    assert len(LEFT_OUT + WRONG) == len(set(LEFT_OUT + WRONG))


def test_a_field_of_one_message_is_not_in_the_schema() -> None:
    for name in LEFT_OUT + WRONG:
        message, _, field = name.rpartition(".")
        if message and message in MESSAGES:
            assert field not in MESSAGES[message].fields_by_name, name


def test_a_field_of_any_message_is_in_no_layer_parameter() -> None:
    for name in LEFT_OUT + WRONG:
        if "." not in name:
            assert name not in MESSAGES["LayerParameter"].fields_by_name, name


def test_asks_for_the_message_first() -> None:
    assert fork_of_field("BatchNormParameter", "relu") == "Intel's Caffe"
    assert fork_of_field("ScaleParameter", "relu") is None
    assert fork_of_field_without_effect("InnerProductParameter", "engine") == "Intel's Caffe"
    assert fork_of_field_without_effect("ReLUParameter", "engine", "MLU") == "other Caffes"
    assert fork_of_field_without_effect("ReLUParameter", "engine", "FAST") is None
    assert fork_of_field_without_effect("PoolingParameter", "pool", "MLU") is None


def test_a_field_that_is_unused_at_a_value_is_known_by_message_and_is_not_in_the_schema() -> None:
    for names in UNUSED_AT.values():
        for name in names:
            message, _, field = name.rpartition(".")
            assert field not in MESSAGES[message].fields_by_name, name
            assert name not in LEFT_OUT
            assert field not in LEFT_OUT


@pytest.mark.parametrize(
    ("name", "given", "unused"),
    [
        ("ReLUParameter.fuse", "false", True),
        ("ReLUParameter.fuse", "0", True),
        ("ReLUParameter.fuse", "true", False),
        ("ReLUParameter.fuse", "", False),
        ("PoolingParameter.avg_include_pad", "True", True),
        ("PoolingParameter.avg_include_pad", "false", False),
        ("SolverParameter.min_lr", "0.0", True),
        ("SolverParameter.min_lr", "1e-5", False),
        ("SolverParameter.clip_weights", "-1", True),
        ("ReshapeParameter.pixelshuffler", "1", True),
        ("ReshapeParameter.pixelshuffler", "x", False),
        ("ScaleParameter.fuse", "false", False),
    ],
)
def test_a_value_that_switches_a_field_off(name: str, given: str, unused: bool) -> None:
    message, _, field = name.partition(".")
    assert is_unused_at(message, field, given) == unused

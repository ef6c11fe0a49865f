"""Sizes are judged before anything is allocated."""

import math

import pytest

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.memory_budget import MOST_VALUES, VARIABLE, MemoryBudget, memory_limit
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.text import parse_text


def layer(text: str = "") -> caffe_pb2.LayerParameter:
    return parse_text(f"name: 'ip' type: 'InnerProduct' {text}", caffe_pb2.LayerParameter)


def test_a_blob_holds_as_many_values_as_caffe_counts() -> None:
    budget = MemoryBudget(math.inf)
    budget.add_weights(layer(), 0, (MOST_VALUES,))
    with pytest.raises(
        ShapeError,
        match=r"^layer 'ip' \(InnerProduct\): blob 1 would have 65536x65536 = 4294967296 values; a blob of Caffe holds "
        r"at most 2147483647; its largest number is inner_product_param.num_output: 65536$",
    ):
        budget.add_weights(layer("inner_product_param { num_output: 65536 axis: 1 }"), 1, (65536, 65536))


@pytest.mark.parametrize("shape", [(0,), (2, 0, 3), (2, -1)])
def test_sizes_are_above_0(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"^layer 'ip' \(InnerProduct\): expected sizes above 0 for top 'y', got "):
        MemoryBudget(math.inf).check_top(layer(), "y", shape)


def test_weights_add_up_and_tops_do_not() -> None:
    budget = MemoryBudget(4000)
    budget.add_weights(layer(), 0, (500,))
    budget.check_top(layer(), "a", (500,))
    budget.check_top(layer(), "b", (500,))
    with pytest.raises(ShapeError, match=r"^layer 'ip' \(InnerProduct\): with top 'c' of shape 501 the net needs 0"):
        budget.check_top(layer(), "c", (501,))
    with pytest.raises(ShapeError, match=rf"more than the limit of 0.0 GiB \({VARIABLE} sets another\)$"):
        budget.add_weights(layer(), 1, (501,))


def test_the_message_names_the_largest_number_of_nested_messages_and_cuts_long_shapes() -> None:
    text = "reshape_param { axis: 3 shape { dim: 7 dim: 900 } }"
    with pytest.raises(
        ShapeError, match=r"top 'y' of shape 1x1x1x1x1x1x1x1x\.\.\. .*number is reshape_param.shape.dim: 900$"
    ):
        MemoryBudget(3).check_top(layer(text), "y", (1,) * 9)


def test_a_single_number_has_a_name() -> None:
    with pytest.raises(ShapeError, match="with top 'y' of shape a single number"):
        MemoryBudget(3).check_top(layer(), "y", ())


@pytest.mark.parametrize(
    ("text", "limit"), [("12", 12), ("3k", 3072), ("2M", 2**21), ("24G", 24 * 2**30), ("1 TiB", 2**40)]
)
def test_the_limit_comes_from_the_environment(text: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, text)
    assert memory_limit() == limit


def test_without_it_the_limit_is_the_memory_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert 2**28 < memory_limit() < 2**46


def test_a_limit_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "much")
    with pytest.raises(FieldError, match=rf"^{VARIABLE}: expected a number of bytes such as .*24G, got 'MUCH'"):
        memory_limit()

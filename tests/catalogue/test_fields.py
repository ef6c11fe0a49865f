"""What becomes of fields is found by building layers."""

from pathlib import Path

import pytest

from caffe_compat.catalogue.examples import example_of
from caffe_compat.catalogue.fields import Fields, fields_of


def fields(layer_type: str) -> Fields:
    return fields_of(example_of(layer_type, Path()))


def test_fields_that_pick_a_kernel_are_apart() -> None:
    found = fields("ReLU")
    assert found.honoured == {"relu_param.negative_slope"}
    assert found.ignored == {"relu_param.engine"}
    assert found.refused == set()


def test_fields_read_only_with_another_value_count() -> None:
    assert "reduction_param.k" in fields("Reduction").honoured  # only TOPK reads it
    assert "pooling_param.kernel_h" in fields("Pooling").honoured


def test_fields_that_nobody_reads_are_refused() -> None:
    assert fields("InfogainLoss").refused == {"loss_param.normalize"}


def test_fields_of_nested_messages_count() -> None:
    found = fields("BatchReduction")
    assert found.refused == {"batch_reduction_param.reduction_param.coeff"}
    assert "batch_reduction_param.reduction_param.axis" in found.honoured
    assert "batch_reduction_param.reduction_param" not in found.every


def test_messages_keep_the_order_of_the_schema() -> None:
    assert list(fields("Log").every) == ["log_param.base", "log_param.scale", "log_param.shift"]


@pytest.mark.parametrize("layer_type", ["Split", "Silence"])
def test_layers_without_fields_have_none(layer_type: str) -> None:
    assert fields(layer_type) == Fields()

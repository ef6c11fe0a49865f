"""BN and BatchNorm + Scale in each other's terms."""

import numpy as np
import pytest

from caffe_compat.convert.model import Model
from caffe_compat.convert.norm.exchange import exchange_norms
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import GraphError
from caffe_compat.proto import caffe_pb2
from tests.convert.models import assert_close, assert_same_blobs, model_of, run

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 5 dim: 3 dim: 4 } } }'
BN = (
    INPUT + 'layer { name: "bn1" type: "BN" bottom: "data" top: "bn1" param { lr_mult: 3 } param { lr_mult: 4 } '
    'bn_param { eps: 0.01 momentum: 0.7 slope_filler { type: "constant" value: 2 } bias_filler { value: 1 } } }'
    'layer { name: "norm" type: "BN" bottom: "bn1" top: "bn1" bn_param { frozen: true } }'
    'layer { name: "scale1" type: "ReLU" bottom: "bn1" top: "out" }'
)
PAIR = (
    INPUT + 'layer { name: "bn" type: "BatchNorm" bottom: "data" top: "x" param { lr_mult: 0 } '
    "batch_norm_param { eps: 0.01 moving_average_fraction: 0.8 } }"
    'layer { name: "scale" type: "Scale" bottom: "x" top: "x" scale_param { bias_term: true '
    "filler { value: 3 } bias_filler { value: 4 } } }"
    'layer { name: "alone" type: "BatchNorm" bottom: "x" top: "alone" }'
    'layer { name: "other" type: "TanH" bottom: "alone" top: "other" }'
    'layer { name: "third" type: "Scale" bottom: "alone" top: "third" }'
)


def exchanged(model: Model, norm: str, dialect: str = "") -> tuple[Model, list[str]]:
    report = ConversionReport(model)
    made = exchange_norms(model, norm, dialect, report)
    return made, [row.done for row in report.rows(made)]


def test_bn_there_and_back_is_bit_identical() -> None:
    model = model_of(BN)
    pairs, done = exchanged(model, "batchnorm")
    back, _ = exchanged(pairs, "bn")

    assert [(layer.name, layer.type) for layer in pairs.net.layer[1:]] == [
        ("bn1", "BatchNorm"),
        ("scale1_scale", "Scale"),
        ("norm", "BatchNorm"),
        ("norm_scale", "Scale"),
        ("scale1", "ReLU"),
    ]
    assert done[1] == "BN as BatchNorm (factor 1) + Scale, bit-exact"
    assert_close(run(pairs), run(model), 1e-6)
    assert_same_blobs(back, model)
    assert [layer.type for layer in back.net.layer[1:]] == ["BN", "BN", "ReLU"]
    assert back.layer("bn1").bn_param == model.layer("bn1").bn_param
    assert list(back.layer("bn1").param) == list(model.layer("bn1").param)
    assert back.layer("norm").bn_param.frozen


def test_rates_and_fillers_go_with_their_blobs() -> None:
    pairs, _ = exchanged(model_of(BN), "batchnorm")
    norm, scale, frozen, frozen_scale = pairs.net.layer[1:5]

    assert [param.lr_mult for param in norm.param] == [0, 0, 0]
    assert [param.lr_mult for param in scale.param] == [3, 4]
    assert (scale.scale_param.filler.value, scale.scale_param.bias_filler.value) == (2, 1)
    assert norm.batch_norm_param.moving_average_fraction == pytest.approx(0.7)
    assert frozen.batch_norm_param.use_global_stats
    assert [param.lr_mult for param in frozen_scale.param] == [0, 0]


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 8.0, 999.9])
def test_batch_norm_becomes_bn_by_its_own_arithmetic(factor: float) -> None:
    model = model_of(PAIR)
    for name in ("bn", "alone"):
        model.blobs[name][2][...] = factor
    made, done = exchanged(model, "bn")

    assert [(layer.name, layer.type) for layer in made.net.layer[1:]] == [
        ("bn", "BN"),
        ("alone", "BN"),
        ("other", "TanH"),
        ("third", "Scale"),
    ]
    # A factor of 0 makes the variance 0 and the values as large as eps allows.
    assert_close(run(made), run(model), 1e-6)
    scale = np.float32(0) if factor == 0 else np.float32(1) / np.float32(factor)
    np.testing.assert_array_equal(made.blobs["bn"][2][0], model.blobs["bn"][0] * scale)
    exact = factor in (0.5, 1.0, 8.0)
    assert done[1].startswith("BatchNorm + Scale as BN, bit-exact" if exact else "BatchNorm + Scale as BN, statistics")
    assert made.layer("bn").bn_param.momentum == pytest.approx(0.8)
    assert (made.layer("bn").bn_param.slope_filler.value, made.layer("bn").bn_param.bias_filler.value) == (3, 4)


def test_with_a_factor_of_a_power_of_two_no_bit_is_lost() -> None:
    model = model_of(PAIR)
    for name in ("bn", "alone"):
        model.blobs[name][2][...] = 1
    back, _ = exchanged(exchanged(model, "bn")[0], "batchnorm")

    for old, new in (("bn", "bn"), ("scale", "scale"), ("alone", "alone"), ("third", "third")):
        for one, other in zip(model.blobs[old], back.blobs[new], strict=True):
            assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(("dialect", "kind"), [("bvlc", "BatchNorm"), ("srn_fork", "BN")])
def test_auto_takes_what_the_other_caffe_has(dialect: str, kind: str) -> None:
    source = model_of(BN if dialect == "bvlc" else PAIR, dialect="srn_fork" if dialect == "bvlc" else "bvlc")

    assert kind in {layer.type for layer in exchanged(source, "auto", dialect)[0].net.layer}
    assert exchanged(source, "auto", source.dialect)[0] is source
    assert exchanged(source, "keep", dialect)[0] is source


def test_statistics_of_the_batch_have_no_bn() -> None:
    model = model_of(PAIR.replace("eps: 0.01", "eps: 0.01 use_global_stats: false"))
    with pytest.raises(
        GraphError, match=r"^layer 'bn' \(BatchNorm\): use_global_stats: false asks for the batch's stat"
    ):
        exchanged(model, "bn")
    model.layer("bn").phase = caffe_pb2.TRAIN  # a net that was training when it was saved
    assert exchanged(model, "bn")[0].layer("bn").phase == 0


def test_a_fixed_pair_by_stored_statistics_is_frozen() -> None:
    model = model_of(PAIR.replace("eps: 0.01", "use_global_stats: true"))
    model.layer("scale").param.add(lr_mult=0)
    model.layer("scale").param.add(lr_mult=0)
    assert exchanged(model, "bn")[0].layer("bn").bn_param.frozen

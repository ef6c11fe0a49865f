from dataclasses import replace

import numpy as np
import pytest

from caffe_compat.convert.formats.caffemodel import read_caffemodel
from caffe_compat.convert.model import Model
from caffe_compat.convert.norm.exchange import to_variance
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import FormatError
from tests.convert.models import GOLDENS, RELEASED, assert_same_blobs, model_of

SOLVED = str(GOLDENS / "srn_fork" / "solvers" / "sgd_fixed" / "s_iter_10.caffemodel")
TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 5 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 40 kernel_size: 3 } }
layer { name: "bn" type: "BN" bottom: "c" top: "bn" bn_param { eps: 0.001 } }
"""


def old_style(model: Model) -> Model:
    """The same model as it was written before 27 April 2016."""
    blobs = dict(model.blobs)
    for layer in model.net.layer:
        if layer.type == "BN":
            variance = blobs[layer.name][3].astype(np.float64)
            inverse = 1 / np.sqrt(variance + layer.bn_param.eps)
            blobs[layer.name] = [*blobs[layer.name][:3], inverse.astype(np.float32)]
    return replace(model, blobs=blobs)


def converted(model: Model, statistics: str = "auto") -> tuple[Model, str]:
    report = ConversionReport(model)
    made = to_variance(model, statistics, report)
    return made, report.notes[-1]


@pytest.mark.parametrize("path", [RELEASED, SOLVED])
def test_real_statistics_are_told_apart(path: str) -> None:
    model = read_caffemodel(path)
    same, _ = converted(model)
    assert same is model

    made, note = converted(old_style(model))
    assert note.startswith(
        "BN blob 3 holds the inverse deviation: against the kernels' squared norms its logarithm has"
    )
    for name in (layer.name for layer in model.net.layer if layer.type == "BN"):
        # Relative to variance + eps, which is what BN divides by.
        expected = model.blobs[name][3]
        np.testing.assert_allclose(made.blobs[name][3], expected, rtol=1e-6, atol=1e-11 + 1e-6 * 1e-5)


def seeded(seed: int = 0) -> Model:
    """Variances as the kernels make them, within a factor of two."""
    model = model_of(TEXT, seed)
    generator = np.random.default_rng(seed)
    weight = model.blobs["conv"][0] * generator.uniform(0.3, 1, (40, 1, 1, 1)).astype(np.float32)
    noise = generator.uniform(0.7, 1.4, 40)
    variance = np.square(weight).sum((1, 2, 3)) * noise
    model.blobs["conv"][0] = weight
    model.blobs["bn"][3] = variance.astype(np.float32).reshape(1, 40)
    return model


@pytest.mark.parametrize("seed", range(5))
def test_the_kernels_norms_decide(seed: int) -> None:
    model = seeded(seed)
    model.blobs["bn"][3] *= np.float32(0.01)  # all below 1 / sqrt(eps), in both forms

    assert converted(model)[1].startswith("BN blob 3 holds the variance: against the kernels' squared norms")
    assert converted(old_style(model))[1].startswith("BN blob 3 holds the inverse deviation: against the kernels'")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3])
def test_statistics_of_few_iterations_are_variances(share: float, seed: int) -> None:
    model = seeded(seed)
    noise = np.random.default_rng(seed).normal(1, 0.01, (1, 40))
    model.blobs["bn"][3] = (noise * (1 - share) + share * model.blobs["bn"][3]).astype(np.float32)

    assert converted(model)[1].startswith("BN blob 3 holds the variance: ")


@pytest.mark.parametrize("value", [0.0, -1.0, 31.7])
def test_values_out_of_range_are_variances(value: float) -> None:
    model = old_style(seeded())
    model.blobs["bn"][3][0, 7] = value  # 1 / sqrt(0.001) is 31.6
    assert converted(model)[1] == (
        f"BN blob 3 holds the variance: layer 'bn' has {value:g}, outside of (0, 1 / sqrt(eps)]"
    )


def test_dead_channels_are_known_by_their_inverse() -> None:
    model = model_of(TEXT)
    model.blobs["bn"][3][...] = 1 / np.sqrt(0.001)
    made, note = converted(model)

    assert (
        note
        == "BN blob 3 holds the inverse deviation: layer 'bn' has a channel of exactly 1 / sqrt(eps), as dead ones are"
    )
    assert np.abs(made.blobs["bn"][3]).max() < 1e-9


def test_what_no_rule_decides_is_taken_to_be_new() -> None:
    model = model_of(TEXT)
    model.blobs["bn"][3][...] = 1
    made, note = converted(model)

    assert made is model
    assert note.startswith("BN blob 3 holds the variance: the values do not tell, so it is taken to be new")


def test_few_channels_do_not_decide() -> None:
    model = model_of(TEXT.replace("40", "5"))
    assert "do not tell" in converted(model)[1]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_channels_that_diverged_do_not_decide(value: float) -> None:
    model = seeded()
    model.blobs["bn"][3] *= np.float32(0.01)
    model.blobs["conv"][0][3] = value
    model.blobs["bn"][3][0, 8] = np.nan

    assert converted(model)[1].startswith("BN blob 3 holds the variance: against the kernels' squared norms")


def test_kernels_of_zeros_do_not_decide() -> None:
    model = model_of(TEXT)
    model.blobs["conv"][0][...] = 0
    assert "do not tell" in converted(model)[1]


def test_blobs_without_numbers_hold_no_statistics() -> None:
    model = model_of(TEXT)
    model.blobs["bn"] = [np.zeros((1, 0), np.float32)] * 4
    assert converted(model) == (model, "dialect bvlc")


def test_the_option_wins() -> None:
    model = seeded()
    assert converted(model, "variance")[1] == "BN blob 3 holds the variance: as the option says"
    made, note = converted(old_style(model), "inverse_deviation")

    assert note == "BN blob 3 holds the inverse deviation: as the option says"
    np.testing.assert_allclose(made.blobs["bn"][3], model.blobs["bn"][3], rtol=1e-6)


def test_a_wrong_option_is_refused() -> None:
    model = seeded()
    model.blobs["bn"][3][0, 2] = 0
    with pytest.raises(
        FormatError,
        match=r"^net\.caffemodel: layer 'bn' \(BN\): expected inverse deviations above 0 in blob 3, found 0; the file",
    ):
        converted(model, "inverse_deviation")


def test_nets_without_bn_are_left_alone() -> None:
    model = model_of(TEXT.split('layer { name: "bn"')[0])
    made, note = converted(model)
    assert note == "dialect bvlc"
    assert_same_blobs(made, model)


def test_segnets_bn_has_no_statistics() -> None:
    model = model_of(TEXT.replace("eps: 0.001", "scale_filler { value: 1 }"), 0)
    report = ConversionReport(model)
    assert to_variance(model, "auto", report) is model
    assert report.notes == ["dialect bvlc"]

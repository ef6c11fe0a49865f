import numpy as np
import pytest

from caffe_compat.convert.formats.caffemodel import read_caffemodel
from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.model import Model
from caffe_compat.convert.norm.fold import fold_norms
from caffe_compat.convert.norm.to_batch_norm import bn_to_batch_norm
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import GraphError, ShapeError
from tests.convert.models import STAGES, assert_close, model_of, run

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 4 dim: 7 dim: 6 } } }'
CONV = (
    'layer { name: "%s" type: "Convolution" bottom: "%s" top: "%s" param { lr_mult: 1 } '
    "convolution_param { num_output: 6 kernel_size: 3 %s } }"
)
IP = 'layer { name: "ip" type: "InnerProduct" bottom: "%s" top: "ip" inner_product_param { num_output: 5 %s } }'


def batch_norm(bottom: str, top: str, scale: str = "bias_term: true") -> str:
    return (
        f'layer {{ name: "n" type: "BatchNorm" bottom: "{bottom}" top: "{top}" batch_norm_param {{ eps: 0.1 }} }}'
        f'layer {{ name: "s" type: "Scale" bottom: "{top}" top: "{top}" scale_param {{ {scale} }} }}'
    )


def bn(bottom: str, top: str) -> str:
    return f'layer {{ name: "n" type: "BN" bottom: "{bottom}" top: "{top}" bn_param {{ eps: 0.1 }} }}'


CASES = {
    "conv in place": (CONV % ("c", "data", "c", "") + batch_norm("c", "c"), ["Convolution"]),
    "conv in groups, without bias": (
        CONV % ("c", "data", "c", "group: 2 bias_term: false") + bn("c", "out"),
        ["Convolution"],
    ),
    "inner product": (IP % ("data", "") + batch_norm("ip", "out", ""), ["InnerProduct"]),
    "transposed inner product": (IP % ("data", "transpose: true") + bn("ip", "out"), ["InnerProduct", "Scale"]),
    "norm of an input": (batch_norm("data", "out"), ["Scale"]),
    "two readers": (
        CONV % ("c", "data", "c", "") + bn("c", "out") + 'layer { name: "t" type: "TanH" bottom: "c" top: "t" }',
        ["Convolution", "Scale", "TanH"],
    ),
    "scale of another": (
        CONV % ("c", "data", "c", "")
        + 'layer { name: "n" type: "BatchNorm" bottom: "c" top: "n" }'
        + 'layer { name: "t" type: "TanH" bottom: "n" top: "t" }'
        + 'layer { name: "s" type: "Scale" bottom: "n" top: "s" }',
        ["Convolution", "TanH", "Scale"],
    ),
    "scale over more axes": (
        CONV % ("c", "data", "c", "") + batch_norm("c", "out", "num_axes: 2"),
        ["Convolution", "Scale"],
    ),
}


def folded(model: Model) -> tuple[Model, list[str]]:
    report = ConversionReport(model)
    made = fold_norms(model, report)
    return made, [row.done for row in report.rows(made)]


@pytest.mark.parametrize("name", CASES)
def test_the_same_outputs_without_norms(name: str) -> None:
    text, types = CASES[name]
    model = model_of(INPUT + text)
    made, _ = folded(model)

    assert [layer.type for layer in made.net.layer[1:]] == types
    assert_close(run(made), run(model), 1e-5)  # sums of at most 168 terms, rounded in another order


def test_plain_loops() -> None:
    """Against the formula of one number at a time."""
    model = model_of(INPUT + CASES["conv in place"][0])
    made, done = folded(model)
    weight, bias = (blob.astype(np.float64) for blob in model.blobs["c"])
    mean, variance, factor = (blob.astype(np.float64) for blob in model.blobs["n"])
    for channel in range(6):
        deviation = np.sqrt(variance[channel] / factor[0] + np.float64(np.float32(0.1)))
        slope = model.blobs["s"][0][channel] / deviation
        shift = model.blobs["s"][1][channel] + (bias[channel] - mean[channel] / factor[0]) * slope
        np.testing.assert_allclose(made.blobs["c"][0][channel], weight[channel] * slope, rtol=1e-6)
        np.testing.assert_allclose(made.blobs["c"][1][channel], shift, rtol=1e-5)
    assert done == ["kept", "normalisation folded in, rounded to float32", "folded into c", "folded into c"]
    assert not made.layer("c").param


def test_shared_weights_are_not_folded_into() -> None:
    text = (CONV % ("c", "data", "c", "")).replace("lr_mult: 1", 'name: "shared"') + bn("c", "out")
    assert [layer.type for layer in folded(model_of(INPUT + text))[0].net.layer[1:]] == ["Convolution", "Scale"]


def test_a_trained_net() -> None:
    model = deploy_form(read_caffemodel(str(STAGES / "step_4" / "init.caffemodel")))
    made, _ = folded(model)

    assert "BatchNorm" not in {layer.type for layer in made.net.layer}
    assert_close(run(made), run(model), 1e-5)


def test_statistics_of_the_batch_cannot_be_folded() -> None:
    model = model_of(INPUT + batch_norm("data", "out").replace("eps: 0.1", "use_global_stats: false"))
    with pytest.raises(
        GraphError, match=r"^net\.caffemodel: layer 'n' \(BatchNorm\): use_global_stats: false normalises"
    ):
        folded(model)


def test_missing_statistics_are_refused() -> None:
    model = model_of(INPUT + bn("data", "out"))
    del model.blobs["n"]
    with pytest.raises(
        ShapeError, match=r"^net\.caffemodel: layer 'n' \(BN\): expected its statistics, found no blobs"
    ):
        folded(model)


def test_segnets_bn_stays() -> None:
    text = INPUT + CONV % ("c", "data", "c", "") + bn("c", "out").replace("eps: 0.1", "bn_mode: INFERENCE")
    model = model_of(text, 0)
    report = ConversionReport(model)
    for made in (fold_norms(model, report), bn_to_batch_norm(model, report)):
        assert [layer.type for layer in made.net.layer] == ["Input", "Convolution", "BN"]

import json

import pytest

from caffe_compat.convert.formats.description import describe, model_of, tensors_of
from caffe_compat.errors import FormatError
from tests.convert.models import assert_same_blobs
from tests.convert.models import model_of as make

TEXT = """
name: "n" layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" loss_weight: 0.1
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "gaussian" std: 0.3 } } }
"""


def test_floats_and_presence_come_back() -> None:
    model = make(TEXT)
    model.net.layer[1].convolution_param.group = 1  # its default, but said
    again = model_of("x", describe(model), tensors_of(model))

    assert again.net == model.net
    assert again.net.layer[1].convolution_param.HasField("group")
    assert_same_blobs(again, model)


def test_it_can_be_read_by_people() -> None:
    content = json.loads(describe(make(TEXT)))

    assert content["net"]["layer"][1]["convolution_param"]["weight_filler"] == {"type": "gaussian", "std": 0.3}
    assert content["blobs"] == {"conv": ["conv.weight", "conv.bias"]}


def changed(**fields: object) -> str:
    return json.dumps({**json.loads(describe(make(TEXT))), **fields})


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("{", r"^x: the description of the net is not JSON \(.*\); convert again"),
        ("[]", "^x: expected a description that this converter wrote, found other JSON; convert again"),
        (changed(format="other"), "^x: expected a description that this converter wrote, found other JSON"),
        ("[" * 100_000, r"^x: the description of the net is not JSON \(.*\); convert again"),
        (changed(version="1"), r"^x: expected 'version' \(int\) in the description; convert again"),
        (changed(blobs=[]), r"^x: expected 'blobs' \(dict\) in the description; convert again"),
        (changed(blobs={"conv": [3]}), "^x: expected lists of names under 'blobs' in the description; convert again"),
        (
            changed(dialect="{"),
            "^x: expected one of bvlc, srn_fork, own as 'dialect' in the description; convert again",
        ),
        (changed(net={"layer": 3}, blobs={}), r"^x: the description's net is none \(.*\); convert again"),
        (changed(version=2), "^x: its description is of version 2, this program knows 1; update it"),
        (changed(), r"^x: expected the tensors that its description names, missing conv\.bias, conv\.weight; take"),
    ],
)
def test_what_does_not_belong_together_is_refused(description: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        model_of("x", description, {})

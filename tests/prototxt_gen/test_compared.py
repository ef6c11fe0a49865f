"""Generated files of the methods that the paper compares with."""

import pytest
from google.protobuf import text_format

from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from prototxt_gen import generate

SMALL = {"labels": 5, "backbone": "narrow", "width": 4, "input_size": 104}
DIALECT = {"batchnorm": bvlc_pb2, "bn": srn_fork_pb2}


def files(model, **options):
    return generate(model=model, **SMALL | options)


def layers_of(files, ending):
    (net,) = (message for name, message in files.items() if name.endswith(ending))
    return {layer.name: layer for layer in net.layer}


@pytest.mark.parametrize("norm", ["batchnorm", "bn"])
@pytest.mark.parametrize("unknown_labels", [False, True])
def test_warp_is_resnet_101_with_another_loss(norm, unknown_labels):
    ours, base = (files(model, norm=norm, unknown_labels=unknown_labels) for model in ("warp", "resnet101"))
    assert list(ours) == ["step_1_warp_trainval.prototxt", "step_1_warp_solver.prototxt", "custom_warp_test.prototxt"]
    (loss,) = (one for one in layers_of(ours, "trainval.prototxt").values() if one.type == "WARPLoss")
    assert (loss.name, list(loss.bottom)) == ("loss_cls", ["y_cls", "label"])
    assert list(layers_of(ours, "warp_test.prototxt")) == list(layers_of(base, "resnet101_test.prototxt"))
    for name, message in ours.items():
        kind = "SolverParameter" if name.endswith("solver.prototxt") else "NetParameter"
        text_format.Parse(text_format.MessageToString(message), getattr(DIALECT[norm], kind)())

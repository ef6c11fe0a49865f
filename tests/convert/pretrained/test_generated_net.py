"""The generator's own backbones, filled by name from converted files, against the projects' forward passes."""

from pathlib import Path

import pytest
import torch

import caffe_compat as caffe
from caffe_compat.convert.conversion import convert
from caffe_compat.convert.pretrained.naming import NAMINGS, places_of
from caffe_compat.convert.pretrained.recognise import DEPTHS
from caffe_compat.proto.write import write_text
from prototxt_gen import generate
from tests.convert.pretrained.test_pretrained import (
    SIZE,
    assert_close,
    caffe_pixels,
    normalized,
    own_mean,
    pictures,
    saved,
)
from tests.convert.pretrained.their_resnets import TheirNet, seeded_state_dict


@pytest.mark.parametrize("project", [0, 2])
def test_every_block_of_a_generated_net(project: int, tmp_path: Path) -> None:
    naming = NAMINGS[project]
    state = seeded_state_dict(naming, 26, width=4)
    weights = convert(saved(tmp_path, state), "caffemodel").path
    (message,) = generate(
        step="test", model="resnet101", labels=3, depth=26, width=4, input_size=SIZE,
        backbone="preresnet" if naming.is_preactivation else "resnet", stride_in="conv2", pooling="floor",
    ).values()  # fmt: skip
    write_text(tmp_path / "net.prototxt", message)

    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST, weights=weights)
    net.blobs["data"].reshape(2, 3, SIZE, SIZE)
    net.blobs["data"].data[...] = caffe_pixels(pictures(), own_mean(naming)).numpy()
    net.forward()
    wanted = TheirNet(naming, 26, state).blocks(normalized(pictures(), naming.normalization))
    for place in places_of(DEPTHS[26]):
        blob = torch.from_numpy(net.blobs[f"res{place.name}"].data.copy())
        if not naming.is_preactivation or place.block == 0:  # a stage's last sum is normalised in place
            assert_close(blob, wanted[f"{place.stage}.{place.block}"], place.name)

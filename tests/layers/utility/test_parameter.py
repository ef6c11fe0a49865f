"""Parameter: a blob as a top."""

import torch

from tests.layers.harness import assert_every_field_matters, build, check_layer, gradient

TEXT = "type: 'Parameter' parameter_param { shape { dim: 2 dim: 3 } }"


def test_gives_its_blob() -> None:
    blob = torch.randn(2, 3, dtype=torch.float64)
    check_layer(TEXT, [], lambda blobs: blobs[0], blobs=[blob])
    assert_every_field_matters(TEXT)


def test_starts_at_zero_and_learns() -> None:
    layer = build(TEXT)
    layer().sum().backward()
    assert not layer.blobs[0].any()
    assert gradient(layer.blobs[0]).tolist() == [[1, 1, 1], [1, 1, 1]]

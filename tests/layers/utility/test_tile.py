"""Tile against NumPy's."""

import numpy as np
import pytest

from caffe_compat.errors import FieldError
from tests.layers.harness import assert_every_field_matters, build, check_layer, random_bottom

TEXT = "name: 't' type: 'Tile' tile_param { axis: -2 tiles: 3 }"


def test_repeats_along_the_axis() -> None:
    check_layer(TEXT, [random_bottom(2, 3, 4, 5)], lambda _, x: np.concatenate([x, x, x], 2))
    assert_every_field_matters(TEXT, random_bottom(2, 3, 4, 5))


def test_wants_a_number_of_tiles() -> None:
    with pytest.raises(FieldError, match=r"^layer 't' \(Tile\): expected tiles of at least 1, got none"):
        build("name: 't' type: 'Tile'", (2, 3))

from pathlib import Path

import pytest

from caffe_compat.errors import GraphError
from caffe_compat.net.build import load_net
from caffe_compat.srn.prediction.filled_weights import require_filled

LAYER = """layer {{ name: "{0}" type: "InnerProduct" bottom: "data" top: "{0}" {1}
  inner_product_param {{ num_output: 3 bias_term: false weight_filler {{ type: "xavier" }} }} }}
"""
HEAD = 'input: "data" input_shape { dim: 2 dim: 5 }\n'


def net_of(tmp_path, name, *layers):
    path = tmp_path / f"{name}.prototxt"
    path.write_text(HEAD + "".join(LAYER.format(*layer) for layer in layers))
    return load_net(str(path), "TEST"), str(path)


@pytest.fixture
def weights(tmp_path):
    net, _ = net_of(tmp_path, "small", ("a", 'param { name: "w" }'))
    net.save(str(tmp_path / "w.caffemodel"))
    return str(tmp_path / "w.caffemodel")


def test_many_unfilled_layers_are_counted(tmp_path: Path, weights: str) -> None:
    net, path = net_of(tmp_path, "big", ("a", ""), *((f"b{number}", "") for number in range(7)))
    with pytest.raises(
        GraphError,
        match=r"expected weights of all 8 learnt layers of .*big.prototxt, found none of b0, b1, b2, b3, b4 \.\.\. "
        r"\(7 in all\); give the weights of this net, or --allow-unfilled to keep what fillers drew$",
    ):
        require_filled(net, weights, path)


def test_a_layer_that_shares_its_weights_is_filled_by_their_owner(tmp_path: Path, weights: str) -> None:
    net, path = net_of(tmp_path, "two", ("a", 'param { name: "w" }'), ("b", 'param { name: "w" }'))
    require_filled(net, weights, path)
    net, path = net_of(tmp_path, "other", ("a", 'param { name: "w" }'), ("b", 'param { name: "v" }'))
    with pytest.raises(GraphError, match="found none of b; give"):
        require_filled(net, weights, path)


def test_a_file_of_another_net_is_an_error_anyway(tmp_path: Path, weights: str) -> None:
    net, path = net_of(tmp_path, "foreign", ("c", ""))
    for allowed in (False, True):
        with pytest.raises(GraphError, match="found none of its layers; give the weights of this net"):
            require_filled(net, weights, path, allowed)

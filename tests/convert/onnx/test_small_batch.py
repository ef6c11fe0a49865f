"""A check of an ONNX file runs a small batch where the net allows."""

from pathlib import Path

import pytest

from caffe_compat.convert.conversion import convert
from caffe_compat.convert.onnx.check import with_small_batch
from caffe_compat.convert.options import Options
from tests.convert.onnx.cases import net_of

FLATTEN = 'layer { name: "f" type: "Flatten" bottom: "a" top: "f" }'
PRODUCT = (
    'layer { name: "p" type: "InnerProduct" bottom: "f" top: "p" inner_product_param { num_output: 3 '
    'weight_filler { type: "gaussian" } } }'
)


def reshape(*sizes: int) -> str:
    shape = " ".join(f"dim: {size}" for size in sizes)
    return f'layer {{ name: "f" type: "Reshape" bottom: "a" top: "f" reshape_param {{ shape {{ {shape} }} }} }}'


def test_shapes_follow_the_batch() -> None:
    net = net_of(FLATTEN + PRODUCT, (50, 4, 5))
    small = with_small_batch(net)
    assert small.inputs == {"a": (2, 4, 5)}
    assert [step.top_shapes for step in small.steps] == [[(2, 20)], [(2, 3)]]
    assert small.shapes == {"a": (2, 4, 5), "f": (2, 20), "p": (2, 3)}
    assert small.steps[1].layer is net.steps[1].layer
    assert net.shapes["p"] == (50, 3)


def test_priors_do_not_follow_the_batch() -> None:
    prior = 'layer { name: "p" type: "PriorBox" bottom: "a" bottom: "b" top: "p" prior_box_param { min_size: 9 } }'
    small = with_small_batch(net_of(prior, (7, 4, 3, 2), (7, 3, 24, 16)))
    assert [step.top_shapes for step in small.steps] == [[(1, 2, 24)]]


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        (FLATTEN, [(2, 4, 5)]),
        (FLATTEN, [(7, 4, 5), (6, 4, 5)]),
        (reshape(7, -1), [(7, 4, 5)]),
        (reshape(-1, 2), [(7, 4, 5)]),
        (reshape(-1) + PRODUCT.replace("num_output: 3", "num_output: 3 axis: 0"), [(7, 4)]),
    ],
)
def test_nets_that_keep_their_batch(text: str, shapes: list[tuple[int, ...]]) -> None:
    net = net_of(text, *shapes)
    assert with_small_batch(net) is net


@pytest.mark.parametrize("dynamic", [False, True])
def test_the_report_says_the_batch(dynamic: bool, tmp_path: Path) -> None:
    from caffe_compat.proto.write import write_text
    from caffe_compat.pycaffe.net import Net

    net = net_of(FLATTEN + PRODUCT, (9, 4, 5))
    write_text(tmp_path / "net.prototxt", net.parameter)
    built = Net(str(tmp_path / "net.prototxt"), 1)
    built.save(str(tmp_path / "net.caffemodel"))
    options = Options(prototxt=str(tmp_path / "net.prototxt"), dynamic_batch=dynamic)
    done = convert(str(tmp_path / "net.caffemodel"), "onnx", str(tmp_path / "net.onnx"), options)
    (note,) = [note for note in done.report.notes if note.startswith("onnxruntime agrees: ")]
    assert note.endswith("of its largest, at a batch of 2 in place of 9")

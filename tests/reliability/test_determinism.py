"""Same seed, machine and number of processes: the same bytes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from caffe_compat.convert.formats.caffemodel import write_caffemodel
from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.formats.safetensors_file import write_safetensors
from caffe_compat.convert.formats.state_dict import description_path, write_state_dict
from caffe_compat.proto.read import read_solver
from caffe_compat.solvers.solver import Solver
from caffe_compat.solvers.update_rules.registry import solver_types
from tests.reliability.inputs import DATA

TRANSFORMED = 'transform_param { mirror: true crop_size: 7 } type: "ImageData"'


def train(net: str, name: str, engine: str, rule: str) -> tuple[bytes, bytes]:
    """The weights and the state after four iterations; `name` makes the prefix, which the state names."""
    parameter = read_solver(f"{net}_solver.prototxt")
    parameter.snapshot_prefix, parameter.max_iter, parameter.type = name, 4, rule
    if rule in ("AdaGrad", "RMSProp", "AdaDelta"):
        parameter.momentum = 0.95 if rule == "AdaDelta" else 0
    parameter.momentum2, parameter.delta, parameter.rms_decay = 0.999, 1e-6, 0.98
    solver = Solver(parameter, engine)
    solver.solve()
    solver.close()
    weights, state = (Path(f"{name}_iter_4.{kind}").read_bytes() for kind in ("caffemodel", "solverstate"))
    return weights, state


@pytest.mark.parametrize("engine", ["exact", "fast"])
@pytest.mark.parametrize("net", DATA)
def test_every_data_layer_trains_to_the_same_bytes(net: str, engine: str, inputs: Path) -> None:
    prototxt = inputs / f"{net}.prototxt"
    if net == "list":
        prototxt.write_text(prototxt.read_text().replace('type: "ImageData"', TRANSFORMED))
    assert train(net, "a", engine, "SGD") == train(net, "a", engine, "SGD")


@pytest.mark.parametrize("rule", solver_types())
def test_every_rule_trains_to_the_same_bytes(rule: str, inputs: Path) -> None:
    assert train("lmdb", "a", "fast", rule) == train("lmdb", "a", "fast", rule)


WRITERS: list[tuple[str, Callable[..., None]]] = [
    ("safetensors", write_safetensors),
    ("pt", write_state_dict),
    ("caffemodel", write_caffemodel),
    ("caffemodel.h5", write_caffemodel),
]


@pytest.mark.parametrize(("suffix", "write"), WRITERS)
def test_converted_files_have_the_same_bytes_whatever_their_name(
    suffix: str, write: Callable[..., None], inputs: Path
) -> None:
    names = [f"one.{suffix}", f"another.{suffix}"]
    for name in names:
        write(name, read_model("s_iter_2.caffemodel"))
    first, second = (Path(name).read_bytes() for name in names)
    assert first == second
    if suffix == "pt":
        assert description_path(names[0]).read_bytes() == description_path(names[1]).read_bytes()

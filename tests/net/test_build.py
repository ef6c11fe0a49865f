"""What a net refuses to be built from, what it finds out and logs while it is built; the collector pauses meanwhile."""

import gc
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import caffe_compat
from caffe_compat.errors import FieldError, GraphError, UnknownLayerError
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.net.build import build_net, collector_paused, load_net
from caffe_compat.net.net import Net
from caffe_compat.net.settings import Surroundings
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.text import parse_text
from prototxt_gen import generate
from tests.engine.nets import build

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 5 } } }'


def test_errors_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "bad.prototxt"
    file.write_text(INPUT + 'layer { name: "p" type: "Poling" bottom: "x" top: "p" }')
    with pytest.raises(
        UnknownLayerError, match=r"bad.prototxt: layer 'p' \(Poling\): no layer .*did you mean 'Pooling'\?"
    ):
        load_net(str(file), "TEST", Surroundings())


def test_stages_of_the_file_and_of_the_caller_count(tmp_path: Path) -> None:
    file = tmp_path / "stages.prototxt"
    rules = "".join(
        f'layer {{ name: "{name}" type: "ReLU" bottom: "x" top: "{name}" include {{ stage: "{name}" }} }}'
        for name in ("file", "caller", "neither")
    )
    file.write_text('state { stage: "file" } ' + INPUT + rules)
    assert load_net(str(file), "TEST", stages=("caller",)).outputs == ["caller", "file"]


def test_two_makers_of_one_top() -> None:
    with pytest.raises(GraphError, match=r"^layer 'b' \(ReLU\): top blob 'a' is produced by multiple sources"):
        build(INPUT + "".join(f'layer {{ name: "{name}" type: "ReLU" bottom: "x" top: "a" }}' for name in "ab"))


def test_loss_weights_count_tops() -> None:
    with pytest.raises(
        GraphError, match=r"^layer 'a' \(ReLU\): loss_weight must be unspecified or specified once per top"
    ):
        build(INPUT + 'layer { name: "a" type: "ReLU" bottom: "x" top: "a" loss_weight: 1 loss_weight: 2 }')


def test_fields_that_are_not_honoured() -> None:
    spec = LayerSpec(
        caffe_pb2.LayerParameter(name="a", type="Flatten", flatten_param=caffe_pb2.FlattenParameter(axis=2))
    )
    spec.params("flatten_param")
    with pytest.raises(FieldError, match=r"^layer 'a' \(Flatten\): flatten_param.axis is set but Flatten does not"):
        spec.reject_unread_fields()


def test_a_loss_without_a_top_counts_but_is_no_output() -> None:
    net = build(INPUT + 'layer { name: "l" type: "EuclideanLoss" bottom: "x" bottom: "x" }')
    assert net.outputs == []
    assert net.forward_range(0, len(net.steps) - 1) == 0.0


def test_outputs_are_what_nobody_reads_in_alphabetical_order() -> None:
    net = build(
        INPUT
        + "".join(f'layer {{ name: "{name}" type: "ReLU" bottom: "x" top: "{name}" }}' for name in ("z", "b", "m"))
        + 'layer { name: "last" type: "ReLU" bottom: "m" top: "a" }'
    )
    assert net.outputs == ["a", "b", "z"]
    assert net.inputs == ["x"]


def test_blobs_in_the_prototxt_are_the_first_weights() -> None:
    net = build(
        INPUT
        + 'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 1 '
        + "bias_term: false } blobs { shape { dim: 1 dim: 5 } data: 1 data: 2 data: 3 data: 4 data: 5 } }"
    )
    np.testing.assert_array_equal(net.params["ip"][0].data, [[1, 2, 3, 4, 5]])


def test_another_number_of_blobs_in_the_prototxt() -> None:
    with pytest.raises(GraphError, match=r"^layer 'ip' \(InnerProduct\): expected 2 blobs in the net file, got 1"):
        build(
            INPUT
            + 'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 1 } '
            + "blobs { shape { dim: 1 dim: 5 } data: [1, 2, 3, 4, 5] } }"
        )


def filled(name: str, filler: str) -> str:
    """A layer with a weight that its filler fills."""
    return (
        f'layer {{ name: "{name}" type: "InnerProduct" bottom: "x" top: "{name}" inner_product_param {{ '
        f'num_output: 3 bias_term: false weight_filler {{ type: "{filler}" }} }} }}'
    )


def loaded(tmp_path: Path, text: str, weights: str) -> Net:
    """The net of a text, with the weights file of another."""
    build(INPUT + weights).save(str(tmp_path / "w.caffemodel"))
    (tmp_path / "net.prototxt").write_text(INPUT + text)
    torch.manual_seed(6)
    return load_net(str(tmp_path / "net.prototxt"), "TEST", weights=str(tmp_path / "w.caffemodel"))


def test_what_a_weights_file_holds_is_not_filled_before(tmp_path: Path) -> None:
    known = filled("known", "gaussian")
    net = loaded(tmp_path, known, known)
    assert torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(6))
    np.testing.assert_array_equal(net.params["known"][0].data, build(INPUT + known).params["known"][0].data)


def test_what_a_weights_file_lacks_is_filled(tmp_path: Path) -> None:
    net = loaded(tmp_path, filled("new", "xavier"), filled("other", "xavier"))
    assert net.params["new"][0].data.std() > 0.1


def test_of_layers_of_one_name_the_first_takes_the_weights(tmp_path: Path) -> None:
    """As in Net::CopyTrainedLayersFrom; the second keeps what its filler gave."""
    twice = filled("known", "gaussian") + filled("known", "xavier").replace('top: "known"', 'top: "again"')
    net = loaded(tmp_path, twice, filled("known", "gaussian"))
    first, second = (step.layer.blobs[0].detach() for step in net.steps if step.layer.name == "known")
    np.testing.assert_array_equal(first, build(INPUT + filled("known", "gaussian")).params["known"][0].data)
    torch.manual_seed(6)
    torch.empty(3, 5).normal_()
    limit = (3 / 5) ** 0.5
    assert torch.equal(second, torch.empty(3, 5).uniform_(-limit, limit))


def test_fillers_that_are_left_out_are_checked_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=r"net.prototxt: layer 'known' \(InnerProduct\): no filler of type 'gaus'"):
        loaded(tmp_path, filled("known", "gaus"), filled("known", "gaussian"))


def test_deploy_nets_are_built_without_torch_compile(tmp_path: Path) -> None:
    """Shapes from a run without data make torch import its compiler, which takes longer than all the rest."""
    nets = [net for name, net in generate("resnet101_srn", labels=3, depth=26, width=4).items() if "_test." in name]
    (tmp_path / "net.prototxt").write_text(str(nets[-1]))
    script = (
        "import sys; from caffe_compat.net.build import load_net; load_net(sys.argv[1], 'TEST'); "
        "sys.exit(' '.join(sys.modules.keys() & {'torch._dynamo', 'sympy'}) or None)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "net.prototxt")], check=True)


RELEASED = Path(__file__).parents[1] / "goldens" / "srn_fork" / "released_like"


@pytest.fixture
def collector() -> Iterator[None]:
    """The collector as it was."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.enable()
    yield
    gc.unfreeze()
    (gc.enable if was_enabled else gc.disable)()


@pytest.mark.usefixtures("collector")
def test_it_goes_on_behind_the_outermost_block() -> None:
    with collector_paused():
        with collector_paused():
            made: list[list[object]] = [[] for _ in range(50_000)]
            assert gc.get_count()[0] > 0
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_count()[0] < len(made)  # they are among the old
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("collector")
def test_what_a_program_has_frozen_stays_so() -> None:
    marker: list[object] = []
    gc.freeze()
    with collector_paused():
        pass
    # Frozen objects are not among those that the collector lists. Their number may fall, as some are freed.
    assert all(one is not marker for one in gc.get_objects())
    assert gc.get_freeze_count() > 0


@pytest.mark.usefixtures("collector")
def test_it_stays_off_where_it_was_off() -> None:
    gc.disable()
    with collector_paused():
        pass
    assert not gc.isenabled()


@pytest.mark.usefixtures("collector")
def test_a_net_that_nobody_holds_is_gone_without_a_collection() -> None:
    """Else the weights of nets, which count as old, would wait for a collection of all."""
    gc.disable()
    caffe_compat.load(str(RELEASED / "weights.caffemodel"))
    load_net(str(RELEASED / "net.prototxt"), "TEST", weights=str(RELEASED / "weights.caffemodel"))
    assert gc.collect() == 0


LOG = Path(__file__).resolve().parents[1] / "goldens" / "bvlc" / "logs" / "caffe_train.log"
PREFIX = re.compile(r"^I\d+ [\d:.]+ +\d+ (\S+):\d+\] ")


def recorded() -> tuple[str, list[str]]:
    """The first net that Caffe built in the log: its text, and the lines of net.cpp about it."""
    lines = LOG.read_text().splitlines()
    start = next(index for index, line in enumerate(lines) if "Initializing net from parameters" in line)
    end = next(index for index, line in enumerate(lines) if "Network initialization done" in line)
    text = [line for line in lines[start + 1 : end] if not PREFIX.match(line)]
    said = [PREFIX.sub("", line) for line in lines[start + 1 : end + 1] if " net.cpp:" in line]
    return "\n".join(text), said


def test_lines_are_caffes(caplog: pytest.LogCaptureFixture) -> None:
    text, said = recorded()
    net = parse_text(text, caffe_pb2.NetParameter)
    data = net.layer[0]  # its HDF5 file is not there: the same blobs from DummyData
    data.type = "DummyData"
    data.ClearField("hdf5_data_param")
    for shape in ([8, 3, 9, 9], [8, 4]):
        data.dummy_data_param.shape.add(dim=shape)
    with caplog.at_level(logging.INFO, "caffe_compat"):
        build_net(net, net.state)
    mine = [record.getMessage() for record in caplog.records]
    assert mine[0].startswith("Initializing net from parameters: \nname:")
    # A loss has no axes: Caffe prints its shape as nothing and the count.
    assert [line.replace("  ", " ").strip() for line in mine[1:]] == [line.replace("  ", " ").strip() for line in said]

"""--cache-features: the same training, with the fixed part computed once for each image."""

import logging
import platform
import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from caffe_compat.data.lmdb_writer import LmdbWriter
from caffe_compat.data.sources.datums import array_to_datum, record_key
from caffe_compat.engine.passes import keep_features
from caffe_compat.errors import FieldError, MissingFeatureError
from caffe_compat.net.settings import Surroundings
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.run_training import Wishes, run_training
from caffe_compat.solvers.solver import Solver
from caffe_compat.solvers.workers import Alone

IMAGES = 6
HERE = platform.node()
NET = """
layer {{ name: "data" type: "Data" top: "data" top: "label" transform_param {{ {transform} }}
  data_param {{ source: "{source}" batch_size: 4 backend: LMDB }} }}
layer {{ name: "low" type: "Convolution" bottom: "data" top: "low" param {{ lr_mult: {rate} decay_mult: 1 }}
  convolution_param {{ num_output: 5 kernel_size: 3 bias_term: false weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "low" top: "low" }}
layer {{ name: "fc" type: "InnerProduct" bottom: "low" top: "fc"
  inner_product_param {{ num_output: 3 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }}
"""


def write_records(file: Path, height: int, width: int) -> Path:
    random = np.random.default_rng(1)
    with LmdbWriter(str(file)) as database:
        for number in range(IMAGES):
            datum = array_to_datum(random.integers(0, 255, (3, height, width), np.uint8), number % 3)
            database.put(record_key(number, ""), datum)
    return file


@pytest.fixture(name="source")
def records(tmp_path: Path) -> Path:
    return write_records(tmp_path / "records", 8, 7)


def solver_of(source: Path, name: str, transform: str = "scale: 0.01", rate: int = 0) -> caffe_pb2.SolverParameter:
    net = source.parent / f"{name}.prototxt"
    net.write_text(NET.format(source=source, transform=transform, rate=rate))
    return text_format.Parse(
        f'net: "{net}" base_lr: 0.05 momentum: 0.9 weight_decay: 0.01 lr_policy: "fixed" max_iter: 9 random_seed: 7 '
        f'snapshot_prefix: "{source.parent}/{name}" snapshot_after_train: false solver_mode: CPU',
        caffe_pb2.SolverParameter(),
    )


def weights_after(parameter: caffe_pb2.SolverParameter, wishes: Wishes) -> np.ndarray:
    """The weights of layer fc after a training."""
    solvers: list[Solver] = []

    def watch(solver: Solver) -> AbstractContextManager[None]:
        solvers.append(solver)
        return nullcontext()

    assert run_training(parameter, Surroundings(), wishes, watch) == 0
    return np.array(solvers[0].net.params["fc"][0].data)


@pytest.mark.parametrize(("transform", "images"), [("scale: 0.01", 6), ("scale: 0.01 mirror: true", 12)])
def test_the_training_is_the_same_and_the_log_says_what_was_saved(
    transform: str, images: int, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = weights_after(solver_of(source, "plain", transform), Wishes())
    with caplog.at_level(logging.INFO, "caffe_compat"):
        found = weights_after(solver_of(source, "cached", transform), Wishes(cache_features=True))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert "Features of 2 fixed layers are kept, up to " in caplog.text
    said = re.search(
        r"Features of (\d+) images kept, .* MB: (\d+) of 36 passes through 2 fixed layers saved", caplog.text
    )
    assert said is not None
    kept, saved = map(int, said.groups())
    assert IMAGES <= kept <= images
    assert kept + saved == 36


def test_random_crops_are_refused(source: Path) -> None:
    parameter = solver_of(source, "cropped", "crop_size: 6")
    message = (
        r"^layer 'data' \(Data\): random crops or windows give other images in each epoch, so that features cannot be "
        r"cached; take them out \(generate --augmentation none\) or train without --cache-features$"
    )
    with pytest.raises(FieldError, match=message):
        run_training(parameter, Surroundings(), Wishes(cache_features=True))


def test_a_crop_as_large_as_the_images_is_no_random_crop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write_records(tmp_path / "square", 8, 8)
    expected = weights_after(solver_of(source, "plain", "crop_size: 8 scale: 0.01"), Wishes())
    with caplog.at_level(logging.INFO, "caffe_compat"):
        found = weights_after(solver_of(source, "cached", "crop_size: 8 scale: 0.01"), Wishes(cache_features=True))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert "Features of 6 images kept" in caplog.text


def test_the_exact_engine_is_refused(source: Path) -> None:
    message = "^--cache-features needs an engine that fuses layers: --engine fast or fast-bf16$"
    with pytest.raises(MissingFeatureError, match=message):
        run_training(solver_of(source, "exact"), Surroundings(), Wishes(engine="exact", cache_features=True))


def test_a_net_that_learns_everywhere_is_trained_with_a_warning(source: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = weights_after(solver_of(source, "plain", rate=1), Wishes())
    found = weights_after(solver_of(source, "cached", rate=1), Wishes(cache_features=True))
    np.testing.assert_array_equal(found, expected)
    assert "--cache-features has no effect: no layers with weights are fixed below those that learn" in caplog.text


def test_processes_of_one_machine_share_its_memory(
    source: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_features, "free_memory", lambda: 12e6)
    monkeypatch.setattr(Alone, "gather", lambda self, value: [value, "another", value] if value == HERE else [value])
    with caplog.at_level(logging.INFO, "caffe_compat"):
        weights_after(solver_of(source, "shared"), Wishes(cache_features=True))
    assert "Features of 2 fixed layers are kept, up to 3 MB" in caplog.text


def test_statistics_of_a_batch_below_all_weights_leave_nothing_to_keep(
    source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parameter = solver_of(source, "statistics")
    net = Path(parameter.net)
    norm = 'layer { name: "norm" type: "BatchNorm" bottom: "data" top: "norm" }\nlayer { name: "low"'
    text = net.read_text().replace('bottom: "data" top: "low"', 'bottom: "norm" top: "low"')
    net.write_text(text.replace('layer { name: "low"', norm))
    weights_after(parameter, Wishes(cache_features=True))
    assert (
        "--cache-features has no effect: no layers with weights are fixed below those that learn, or that compute with "
        "the whole batch (BatchNorm with use_global_stats: false) or a state (LSTM)"
    ) in caplog.text

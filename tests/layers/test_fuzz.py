"""Short runs of scripts/fuzz_layers.py: changed nets run, or end in one clear line."""

import importlib.util
import signal
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from caffe_compat.layers.new_blobs import VARIABLE

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "fuzz_layers.py"


@pytest.fixture
def fuzz_layers(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("fuzz_layers", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv(VARIABLE, "64M")
    before = signal.signal(signal.SIGALRM, module._too_long)
    yield module
    signal.signal(signal.SIGALRM, before)


@pytest.mark.filterwarnings("ignore")
def test_changed_nets_run_or_are_refused_in_a_line(fuzz_layers: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    counts = fuzz_layers.run(seed=11, count=60)
    assert counts["surprise"] == 0, capsys.readouterr().out
    assert min(counts["ran"], counts["refused"]) > 5


@pytest.mark.filterwarnings("ignore")
def test_a_data_layer_that_would_read_ahead_without_end(
    fuzz_layers: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """The third net of this seed asks for 4294967295 batches ahead, for which the layer would read for ever."""
    assert fuzz_layers.run(seed=28, count=3)["surprise"] == 0, capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_many_changed_nets(fuzz_layers: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz_layers.main(["--seed", "12", "--count", "1500"]) == 0, capsys.readouterr().out

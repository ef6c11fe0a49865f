from pathlib import Path

import pytest
import torch

from prototxt_gen import GeneratorOptions, machine
from prototxt_gen.machine import (
    GIGABYTE,
    Machine,
    follow_machine,
    has_driver,
    machine_lines,
    this_machine,
    training_bytes,
)
from tests.prototxt_gen.generated import Options

SMALL: Options = {"labels": 5, "depth": 26, "width": 8, "input_size": 96}
LARGE = Machine("GPU", 140 * GIGABYTE, "found a large one")


def test_a_large_gpu_takes_the_papers_batch_per_gpu():
    followed = follow_machine(GeneratorOptions(**SMALL), LARGE)
    assert (followed.solver_mode, followed.batch_size) == ("GPU", 24)
    assert next(machine_lines(GeneratorOptions(**SMALL), followed, LARGE)) == (
        "device: GPU (found a large one; --solver-mode overrules)"
    )


def test_the_batch_fits_into_memory():
    options = GeneratorOptions(**SMALL)
    needed = [training_bytes(options, size) for size in (12, 16)]
    assert needed[0] < needed[1]
    machine = Machine("CPU", sum(needed) / 2, "found no CUDA device")
    followed = follow_machine(options, machine)
    assert (followed.solver_mode, followed.batch_size) == ("CPU", 12)
    batch = list(machine_lines(options, followed, machine))[1]
    assert batch.startswith("batch: 12 images at once x 8 passes x 1 GPUs = 96 (about 0.")
    assert follow_machine(options, Machine("CPU", 0, "")).batch_size == 1


def test_what_is_given_stays():
    options = GeneratorOptions(**SMALL, batch_size=6, solver_mode="GPU")
    assert follow_machine(options, Machine("CPU", 0, "")) == options
    assert list(machine_lines(options, options, LARGE)) == []


def test_the_batch_divides_that_of_all_gpus():
    assert follow_machine(GeneratorOptions(**SMALL, gpus=8), LARGE).batch_size == 12
    assert follow_machine(GeneratorOptions(**SMALL, train_images=40), LARGE).batch_size == 16  # of 32
    assert follow_machine(GeneratorOptions(**SMALL, iter_size=5), LARGE).batch_size == 24


def test_the_host_has_half_of_what_programs_can_still_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda: 7_000)
    assert this_machine("CPU") == Machine("CPU", 3_500, "found no CUDA device")


@pytest.mark.parametrize("name", ["nvidiactl", "nvhost-ctrl-gpu", "dxg", "kfd"])
def test_a_driver_shows_by_its_device_file(tmp_path: Path, name: str) -> None:
    for other in ("null", "dri", "nvme0n1"):
        (tmp_path / other).touch()
    assert not has_driver(tmp_path)
    (tmp_path / name).touch()
    assert has_driver(tmp_path)


def test_where_torch_finds_a_gpu_there_is_a_driver() -> None:
    assert has_driver() >= (torch.cuda.device_count() > 0)

"""Memory that programs can still take, of a machine and of its container, and the features' share of it."""

from pathlib import Path

import pytest

from caffe_compat import cgroups
from caffe_compat import free_memory as module
from caffe_compat.engine.passes.keep_features import FeatureStore
from caffe_compat.free_memory import free_memory


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that can give 6,000 kB; files of this folder limit its cgroups."""
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemFree: 100 kB\nMemAvailable:    6000 kB\n")
    monkeypatch.setattr(module, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(cgroups, "CGROUPS", str(tmp_path))
    monkeypatch.setattr(cgroups, "OWN_CGROUPS", str(tmp_path / "own"))
    return tmp_path


def limit_memory(folder: Path, limit: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.stat").write_text("anon 200000\nanon_thp 70\nfile 900000\n")
    (folder / "memory.max").write_text(f"{limit}\n")


def test_half_of_the_memory_that_programs_can_take_is_shared_by_the_processes(machine: Path) -> None:
    assert FeatureStore().most == 3000 * 1024
    assert FeatureStore(processes=3).most == 1000 * 1024


@pytest.mark.parametrize(
    ("limit", "free"), [("max", 6000 * 1024), ("1000000", 800000), ("150000", 0), ("99000000", 6000 * 1024)]
)
def test_the_limit_of_a_container(machine: Path, limit: str, free: int) -> None:
    limit_memory(machine, limit)
    assert free_memory() == free


@pytest.mark.parametrize(("outer", "inner", "free"), [("max", "700000", 500000), ("600000", "max", 400000)])
def test_the_limit_of_a_cgroup_below_the_root(machine: Path, outer: str, inner: str, free: int) -> None:
    (machine / "own").write_text("0::/job.slice/step\n")
    limit_memory(machine / "job.slice", outer)
    limit_memory(machine / "job.slice" / "step", inner)
    assert free_memory() == free


def test_the_limit_of_a_cgroup_of_version_1(machine: Path) -> None:
    (machine / "own").write_text("3:cpuset:/other\n2:memory:/job\n")
    folder = machine / "memory" / "job"
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text("500000\n")
    (folder / "memory.stat").write_text("rss 7\ntotal_rss 120000\n")
    assert free_memory() == 380000

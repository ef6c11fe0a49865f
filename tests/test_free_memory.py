"""Memory that programs can still take, of a machine and of its container, and the features' share of it."""

from pathlib import Path

import pytest

from caffe_compat import free_memory as module
from caffe_compat.engine.passes.keep_features import FeatureStore


def test_half_of_the_memory_that_programs_can_take_is_shared_by_the_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo, container = tmp_path / "meminfo", tmp_path / "cgroup"
    container.mkdir()
    meminfo.write_text("MemTotal: 9000 kB\nMemFree: 100 kB\nMemAvailable:    6000 kB\n")
    monkeypatch.setattr(module, "MEMINFO", meminfo)
    monkeypatch.setattr(module, "CONTAINERS", ((container, "memory.max", "anon"),))
    assert FeatureStore().most == 3000 * 1024
    assert FeatureStore(processes=3).most == 1000 * 1024
    (container / "memory.stat").write_text("anon 200000\nanon_thp 70\nfile 900000\n")
    for limit, free in (("max", 6000 * 1024), ("1000000", 800000), ("150000", 0), ("99000000", 6000 * 1024)):
        (container / "memory.max").write_text(f"{limit}\n")
        assert module.free_memory() == free

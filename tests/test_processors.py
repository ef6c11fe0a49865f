"""Threads are chosen by the container and by the load, before torch is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from caffe_compat import cgroups, processors
from caffe_compat.processors import container_limit, is_busy, share_processors


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 8 processors without torch, an idle one without limits; files of this folder say otherwise."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)), raising=False)
    monkeypatch.setattr(processors, "LOAD", str(tmp_path / "loadavg"))
    monkeypatch.setattr(cgroups, "CGROUPS", str(tmp_path))
    monkeypatch.setattr(cgroups, "OWN_CGROUPS", str(tmp_path / "own"))
    running(tmp_path, 1)
    return tmp_path


def running(machine: Path, programs: int) -> None:
    (machine / "loadavg").write_text(f"7.13 5.02 3.14 {programs}/287 4242\n")


def chosen(**environment: str) -> dict[str, str]:
    share_processors(environment)
    return environment


@pytest.mark.parametrize(("programs", "policy"), [(1, {}), (3, {}), (4, {"OMP_WAIT_POLICY": "passive"})])
def test_threads_sleep_where_others_need_the_processors(machine: Path, programs: int, policy: dict[str, str]) -> None:
    running(machine, programs)  # this one included: two others fit beside six threads on eight processors
    assert chosen() == policy


@pytest.mark.parametrize(
    ("text", "limit"),
    [("250000 100000\n", 3), ("max 100000\n", 6), ("200 0", 6), ("", 6), ("x y", 6), ("900000 100000", 9)],
)
def test_the_limit_of_a_container(machine: Path, text: str, limit: int) -> None:
    (machine / "cpu.max").write_text(text)
    assert container_limit() == limit
    assert chosen() == ({"OMP_NUM_THREADS": str(limit)} if limit < 6 else {})


@pytest.mark.parametrize(("quota", "limit"), [("-1", 6), ("150000", 2)])
def test_the_limit_of_a_container_in_two_files(machine: Path, quota: str, limit: int) -> None:
    limit_in_two_files(machine / "cpu", quota)
    assert container_limit() == limit


def limit_in_two_files(folder: Path, quota: str) -> None:
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text(quota)
    (folder / "cpu.cfs_period_us").write_text("100000\n")


@pytest.mark.parametrize(
    ("outer", "inner", "limit"),
    [("max", "200000", 2), ("100000", "400000", 1), ("max", "max", 6), ("500000", "max", 5)],
)
def test_the_limit_of_a_cgroup_below_the_root(machine: Path, outer: str, inner: str, limit: int) -> None:
    (machine / "own").write_text("0::/job.slice/step\n")
    folder = machine / "job.slice" / "step"
    folder.mkdir(parents=True)
    (folder / "cpu.max").write_text(f"{inner} 100000\n")
    (folder.parent / "cpu.max").write_text(f"{outer} 100000\n")
    assert container_limit() == limit


def test_the_limit_of_a_cgroup_below_the_root_in_two_files(machine: Path) -> None:
    (machine / "own").write_text("3:cpuset:/other\n2:cpu,cpuacct:/job/step\n1:name=systemd:/none\nno cgroup\n")
    limit_in_two_files(machine / "cpu" / "job", "300000")
    limit_in_two_files(machine / "cpu" / "other", "100000")
    assert container_limit() == 3


@pytest.mark.parametrize(("setting", "programs"), [("4,2", 6), (" 4 ", 6), ("many", 4), ("0", 4), ("", 4)])
def test_any_number_of_threads_in_the_environment(machine: Path, setting: str, programs: int) -> None:
    """`programs` are more than fit beside so many threads, or beside all six processors if none are named."""
    running(machine, programs)
    assert "OMP_WAIT_POLICY" in chosen(OMP_NUM_THREADS=setting)
    running(machine, programs - 1)
    assert "OMP_WAIT_POLICY" not in chosen(OMP_NUM_THREADS=setting)


def test_a_limited_container_leaves_room(machine: Path) -> None:
    (machine / "cpu.max").write_text("250000 100000\n")
    running(machine, 6)
    assert chosen() == {"OMP_NUM_THREADS": "3"}


def test_the_environment_wins(machine: Path) -> None:
    (machine / "cpu.max").write_text("250000 100000\n")
    running(machine, 31)
    assert chosen(MKL_NUM_THREADS="5", GOMP_SPINCOUNT="7") == {"MKL_NUM_THREADS": "5", "GOMP_SPINCOUNT": "7"}
    assert chosen(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="active") == {
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "active",
    }


@pytest.mark.parametrize("text", ["", "0.1 0.2 0.3", "0.1 0.2 0.3 many/9 7"])
def test_a_kernel_that_does_not_say_counts_as_idle(machine: Path, text: str) -> None:
    (machine / "loadavg").write_text(text)
    assert not is_busy(8)
    (machine / "loadavg").unlink()
    assert not is_busy(8)


def test_nothing_is_set_once_torch_is_there(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running(machine, 31)
    monkeypatch.setitem(sys.modules, "torch", pytest)
    assert chosen() == {}


@pytest.mark.parametrize("setting", [{"OMP_NUM_THREADS": "1"}, {"OMP_WAIT_POLICY": "active"}])
def test_the_package_decides_when_it_is_imported(setting: dict[str, str]) -> None:
    program = "import os, sys, caffe_compat; print('torch' in sys.modules, os.environ.get(sys.argv[1]))"
    (name,) = setting
    command = [sys.executable, "-c", program, name]
    printed = subprocess.run(command, env=os.environ | setting, capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["False", setting[name]]

"""What the doctor finds, and what it tells to do."""

import json
import shutil
import sys
from types import SimpleNamespace

import pytest

from caffe_compat.cli import installation
from caffe_compat.cli.installation import InstalledPart, examine
from tests.cli.conftest import Program


def finding(part: str) -> InstalledPart:
    return next(each for each in examine() if each.part == part)


def test_this_environment_is_sound(program: Program) -> None:
    status, printed, errors = program("doctor")
    assert (status, errors) == (0, "")
    assert printed.splitlines()[-1] == "everything that is needed works"
    for part in ("Python", "torch", "GPU", "OpenCV", "protobuf", "Caffe's schema", "LMDB", "h5py"):
        assert any(line.startswith(f"{part} ") for line in printed.splitlines())


def test_the_findings_as_json(program: Program) -> None:
    findings = json.loads(program("doctor", "--json").stdout)
    assert {"part": "LMDB", "cure": "", "needed": True}.items() <= next(
        each for each in findings if each["part"] == "LMDB"
    ).items()


@pytest.mark.parametrize(("version", "cure"), [("5.1.0", "pip install 'opencv-python<5'"), ("4.12.0", "")])
def test_opencvs_major_version(version: str, cure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(__version__=version))
    assert finding("OpenCV").cure.endswith(cure)


def test_two_builds_of_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_version", lambda package: "4.12.0")
    assert finding("OpenCV").cure == (
        "opencv-python and opencv-python-headless overwrite each other: uninstall both, then install one"
    )


@pytest.mark.parametrize(
    ("version", "cure"),
    [
        ("4.24.4", "the schema loads on 4.25 to 7"),
        ("8.0.1", "the schema loads on 4.25 to 7"),
        ("6.33.6", ""),
        (None, "pip"),
    ],
)
def test_versions_of_protobuf(version: str | None, cure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_version", lambda package: version)
    assert finding("protobuf").cure.startswith(cure)


def test_what_is_missing_fails_the_doctor_only_where_it_is_needed(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert program("doctor").returncode == 0
    assert finding("onnx").cure == "optional: pip install 'caffe-compat[onnx]'"
    monkeypatch.setitem(sys.modules, "lmdb", None)
    status, printed, _ = program("doctor")
    assert status == 1
    assert printed.splitlines()[-1] == "to mend: LMDB"
    assert finding("LMDB").cure == "pip install lmdb"


@pytest.mark.parametrize(
    ("cuda", "driver", "cure"),
    [
        (None, True, "torch is built for the CPU: install the build for your CUDA from pytorch.org"),
        ("12.8", True, "torch cannot use the GPU: run nvidia-smi; the driver may be older than torch's CUDA"),
        (None, False, ""),
        ("12.8", False, ""),
    ],
)
def test_a_gpu_that_torch_cannot_use(
    cuda: str | None, driver: bool, cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = SimpleNamespace(
        __version__="2.13.0", version=SimpleNamespace(cuda=cuda), get_num_threads=lambda: 3,
        cuda=SimpleNamespace(is_available=lambda: False),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(shutil, "which", lambda program: "/bin/nvidia-smi" if driver else None)
    gpu = next(each for each in installation._torch() if each.part == "GPU")
    assert (gpu.cure, gpu.needed) == (cure, False)


def test_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    assert installation._python()[0].cure == "install Python 3.11 or newer and make a new environment with it"

"""What `doctor` looks at: each part of an installation, whether it works, and what to do where it does not."""

import importlib
import importlib.metadata
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

OLDEST_PYTHON = (3, 11)
#: Versions of protobuf that the schema modules load on: from, and below.
PROTOBUF = ((4, 25), (8,))


class InstalledPart(NamedTuple):
    """One part of an installation and what was found of it.

    `cure` says what to do, "" where nothing is wrong. A `needed` part with a cure makes `doctor` fail.
    """

    part: str
    found: str
    cure: str = ""
    needed: bool = True


class AbsentError(Exception):
    """A package that cannot be imported; the text says why."""


def examine() -> list[InstalledPart]:
    """All findings, in the order in which parts build upon each other."""
    return [finding for check in CHECKS for finding in check()]


def _python() -> list[InstalledPart]:
    found = f"{platform.python_version()} ({sys.executable})"
    cure = (
        "" if sys.version_info >= OLDEST_PYTHON else "install Python 3.11 or newer and make a new environment with it"
    )
    return [InstalledPart("Python", found, cure)]


def _torch() -> list[InstalledPart]:
    try:
        torch = _module("torch")
    except AbsentError as error:
        return [InstalledPart("torch", str(error), "pip install torch")]
    build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for the CPU alone"
    return [InstalledPart("torch", f"{torch.__version__}, {build}, {torch.get_num_threads()} threads"), _gpu(torch)]


def _gpu(torch: ModuleType) -> InstalledPart:
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return InstalledPart("GPU", ", ".join(names))
    driver = shutil.which("nvidia-smi") is not None
    cures = {
        (True, True): "torch cannot use the GPU: run nvidia-smi; the driver may be older than torch's CUDA",
        (True, False): "torch is built for the CPU: install the build for your CUDA from pytorch.org",
    }
    return InstalledPart(
        "GPU", "none that torch can use", cures.get((driver, bool(torch.version.cuda)), ""), needed=False
    )


def _opencv() -> list[InstalledPart]:
    try:
        cv2 = _module("cv2")
    except AbsentError as error:
        cure = "pip uninstall opencv-python; pip install 'opencv-python-headless>=4.10,<5' (it needs no libGL)"
        return [
            InstalledPart(
                "OpenCV", str(error), cure if "libGL" in str(error) else "pip install 'opencv-python>=4.10,<5'"
            )
        ]
    cure = ""
    if int(cv2.__version__.split(".")[0]) >= 5:
        cure = "OpenCV 5 has no Caffe importer, so `verify --against opencv` fails: pip install 'opencv-python<5'"
    builds = [name for name in ("opencv-python", "opencv-python-headless") if _version(name)]
    if len(builds) > 1:
        cure = f"{' and '.join(builds)} overwrite each other: uninstall both, then install one"
    return [InstalledPart("OpenCV", cv2.__version__, cure)]


def _protobuf() -> list[InstalledPart]:
    version = _version("protobuf")
    if version is None:
        return [InstalledPart("protobuf", "not installed", "pip install 'protobuf>=4.25,<8'")]
    numbers = tuple(int(part) for part in version.split(".")[:2])
    if not PROTOBUF[0] <= numbers < PROTOBUF[1]:
        return [InstalledPart("protobuf", version, "the schema loads on 4.25 to 7: pip install 'protobuf>=4.25,<8'")]
    kind = importlib.import_module("google.protobuf.internal.api_implementation").Type()
    slow = "the Python implementation is some 20 times slower: unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"
    return [InstalledPart("protobuf", f"{version} ({kind})", slow if kind == "python" else "", needed=False)]


def _schema() -> list[InstalledPart]:
    try:
        caffe_pb2 = importlib.import_module("caffe_compat.proto.caffe_pb2")
    except Exception as error:
        return [InstalledPart("Caffe's schema", str(error), "pip install 'protobuf>=4.25,<8'")]
    return [InstalledPart("Caffe's schema", f"{len(caffe_pb2.DESCRIPTOR.message_types_by_name)} messages")]


def _lmdb() -> list[InstalledPart]:
    try:
        lmdb = _module("lmdb")
    except AbsentError as error:
        return [InstalledPart("LMDB", str(error), "pip install lmdb")]
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            lmdb.open(folder, map_size=1 << 20) as database,
            database.begin(write=True) as transaction,
        ):
            transaction.put(b"key", b"value")
    except (lmdb.Error, OSError) as error:
        return [InstalledPart("LMDB", f"cannot write: {error}", "set TMPDIR to a local disk; LMDB needs memory maps")]
    return [InstalledPart("LMDB", f"{lmdb.__version__}, writes and reads")]


def _packages() -> list[InstalledPart]:
    findings = []
    for name, (module, extra) in PACKAGES.items():
        try:
            _module(module)
            findings.append(InstalledPart(name, _version(name) or "installed", needed=not extra))
        except AbsentError as error:
            wanted = f"caffe-compat[{extra}]" if extra else name
            findings.append(
                InstalledPart(name, str(error), f"{'optional: ' if extra else ''}pip install '{wanted}'", not extra)
            )
    return findings


#: Other packages: the module to import, and the extra that installs it, where it is optional.
PACKAGES = {
    "numpy": ("numpy", ""),
    "h5py": ("h5py", ""),
    "safetensors": ("safetensors", ""),
    "scikit-learn": ("sklearn", ""),
    "matplotlib": ("matplotlib", ""),
    "onnx": ("onnx", "onnx"),
    "onnxruntime": ("onnxruntime", "onnx"),
    "plyvel": ("plyvel", "leveldb"),
    "pydot": ("pydot", "draw"),
}
CHECKS: tuple[Callable[[], list[InstalledPart]], ...] = (_python, _torch, _opencv, _protobuf, _schema, _lmdb, _packages)


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # a broken build raises what it likes
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        raise AbsentError("not installed" if missing else f"cannot be imported: {error}") from error


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None

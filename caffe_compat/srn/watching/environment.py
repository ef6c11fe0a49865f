"""The machine and the versions that a run used, for its report."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

PACKAGES = ("torch", "numpy", "opencv-python", "protobuf")


def describe_environment(device: torch.device) -> dict[str, str]:
    """What may change a run's speed or results: device, cores, system and versions."""
    return {
        "device": _device(device),
        "processor": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "system": platform.platform(),
        "Python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        "command": " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]]),
    }


def _device(device: torch.device) -> str:
    if device.type != "cuda":
        return "CPU"
    memory = torch.cuda.get_device_properties(device).total_memory / 2**30
    return f"{torch.cuda.get_device_name(device)}, {memory:.0f} GiB"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # another build of the same library, such as opencv-python-headless
        return "another build"

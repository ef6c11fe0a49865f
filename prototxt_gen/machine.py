"""Chooses device and batch size for this machine, in the command line only; functions give equal files anywhere."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from caffe_compat.free_memory import free_memory
from prototxt_gen.completion import complete, effective_batch
from prototxt_gen.nets import train_net
from prototxt_gen.options import GeneratorOptions
from prototxt_gen.recipes import steps_of

LARGEST_BATCH = 24  # per GPU: the paper's 96 images on four GPUs
BYTES = 4  # of a float32
#: Arrays in memory: blobs have values and gradients; parameters have weights, gradients, history and update.
COPIES_OF_BLOBS, COPIES_OF_PARAMETERS = 2, 4
#: Shares of memory that training may use: of a GPU, which also holds workspaces, and of a host's free memory.
GPU_SHARE, HOST_SHARE = 0.8, 0.5
GIGABYTE = 1e9
#: How the names begin of the device files of NVIDIA's drivers (of boards with a common memory: nvhost, nvgpu), of
#: Windows' Linux, and of AMD's driver.
DRIVERS = ("nvidia", "nvhost", "nvgpu", "dxg", "kfd")


class Machine(NamedTuple):
    """A device to train on.

    `mode` is Caffe's solver_mode, GPU or CPU; `memory` is what training may use, in bytes.
    """

    mode: str
    memory: float
    found: str


def this_machine(mode: str = "") -> Machine:
    """The first GPU if there is one and `mode` is not CPU, else the host."""
    if mode != "CPU" and has_driver():
        import torch  # here because the import takes more than a second

        if torch.cuda.device_count():
            properties = torch.cuda.get_device_properties(0)
            return Machine("GPU", GPU_SHARE * properties.total_memory, f"found {properties.name}")
    return Machine(mode or "CPU", HOST_SHARE * free_memory(), "found no CUDA device")


def has_driver(devices: Path = Path("/dev")) -> bool:
    """Whether the system has a driver of a GPU for computing, without which torch finds no GPU."""
    return any(file.name.startswith(DRIVERS) for file in devices.iterdir())


def follow_machine(options: GeneratorOptions, machine: Machine) -> GeneratorOptions:
    """The options with the machine's device, and the largest batch size that fits into its memory."""
    followed = dataclasses.replace(options, solver_mode=options.solver_mode or machine.mode)
    if options.batch_size:
        return followed
    sizes = _batch_sizes(complete(dataclasses.replace(followed, batch_size=1)), options)
    fitting = (size for size in sizes if training_bytes(followed, size) <= machine.memory)
    return dataclasses.replace(followed, batch_size=next(fitting, 1))


def _batch_sizes(full: GeneratorOptions, options: GeneratorOptions) -> list[int]:
    """Divisors of the batch of all GPUs, in descending order; any number up to 24 if --iter-size is given."""
    batch = effective_batch(full.train_images)
    sizes = range(LARGEST_BATCH, 0, -1)
    return [size for size in sizes if options.iter_size or batch % (size * full.gpus) == 0]


def training_bytes(options: GeneratorOptions, batch_size: int) -> float:
    """Estimated memory for training the last step's net at a batch size, in bytes, from the sizes of blobs."""
    full = complete(dataclasses.replace(options, batch_size=batch_size, iter_size=options.iter_size or 1))
    net = train_net(full, steps_of(full.model, full.finetune_losses)[-1])
    parameters = sum(net.parameters.values())
    return BYTES * (COPIES_OF_BLOBS * batch_size * net.values + COPIES_OF_PARAMETERS * parameters)


def machine_lines(given: GeneratorOptions, followed: GeneratorOptions, machine: Machine) -> Iterator[str]:
    """Lines that tell the user each choice and the flag that overrides it."""
    if not given.solver_mode:
        yield f"device: {followed.solver_mode} ({machine.found}; --solver-mode overrules)"
    if not given.batch_size:
        full = complete(followed)
        needed = training_bytes(followed, followed.batch_size) / GIGABYTE
        yield (
            f"batch: {full.batch_size} images at once x {full.iter_size} passes x {full.gpus} GPUs = "
            f"{full.batch_size * full.iter_size * full.gpus} (about {needed:.1f} GB of {machine.memory / GIGABYTE:.1f} "
            "GB; --batch-size overrules)"
        )

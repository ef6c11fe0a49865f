"""Training steps that several runs have in common: they are trained once.

SRN and its controls differ from step 3 on. Steps 1 and 2 have the same nets, solvers, data and seed, and a training of
them anew ends with the same weights.
"""

import shutil
from pathlib import Path

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_net
from caffe_compat.srn.stages.stages import Stage, find_stages


def take_over_steps(folder: Path) -> list[Stage]:
    """Copies the weights and logs of first steps that a folder beside FOLDER has trained already.

    Returns those steps of FOLDER, in order. Folders of the same dataset lie beside each other.
    """
    taken: list[Stage] = []
    stages = find_stages(folder / "models")
    for stage in stages:
        if (folder / stage.final_weights).exists():
            continue
        source = next(
            (other for other in _siblings(folder) if _has_trained(other, folder, stages[: stage.number])), None
        )
        if source is None:
            break
        for name in (stage.log_file, stage.final_weights):  # the weights last: they say that the step is done
            shutil.copyfile(source / name, folder / name)
        taken.append(stage)
    return taken


def _siblings(folder: Path) -> list[Path]:
    return [models.parent for models in sorted(folder.parent.glob("*/models")) if models.parent != folder]


def _has_trained(other: Path, folder: Path, stages: list[Stage]) -> bool:
    """Whether `other` has done all of these steps, from the same nets and solvers as FOLDER's."""
    theirs = find_stages(other / "models")[: len(stages)]
    return len(theirs) == len(stages) and all(
        (other / mine.final_weights).exists()
        and (other / mine.log_file).exists()
        and mine.solver == their.solver
        and _layers(folder, mine) == _layers(other, their)
        for mine, their in zip(stages, theirs, strict=True)
    )


def _layers(folder: Path, stage: Stage) -> list[caffe_pb2.LayerParameter]:
    """The layers of a step's net; its name does not matter."""
    return list(read_net(folder / stage.solver.net).layer)

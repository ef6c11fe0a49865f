"""Files cut and changed at seeded places: nothing but a CaffeError of one line may come out, whatever is hit."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.convert.formats.caffemodel import write_caffemodel
from caffe_compat.convert.formats.mean_image import convert_mean
from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.formats.safetensors_file import write_safetensors
from caffe_compat.convert.formats.state_dict import write_state_dict
from caffe_compat.convert.model import Model
from caffe_compat.errors import CaffeError
from caffe_compat.proto.write import write_blob
from tests.convert.models import model_of

TEXT = """
name: "n" layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" batch_norm_param { eps: 0.01 } }
"""
IMAGE = np.random.default_rng(2).normal(size=(1, 3, 4, 5)).astype(np.float32)
ROUNDS = 120


def _npy(path: str, model: Model) -> None:
    np.save(path, IMAGE)


def _mean(path: str, model: Model) -> None:
    write_blob(path, IMAGE)


KINDS: dict[str, Callable[[str, Model], None]] = {
    "a.caffemodel": write_caffemodel,
    "a.caffemodel.h5": write_caffemodel,
    "a.safetensors": write_safetensors,
    "a.pt": write_state_dict,
    "a.npy": _npy,
    "a.binaryproto": _mean,
}


def damaged(whole: bytes, chance: random.Random) -> Iterator[bytes]:
    """The file cut off, with bytes changed (half of them in its first kilobytes), lost, or put in."""
    for _ in range(ROUNDS):
        place = chance.randrange(min(len(whole), 2000) if chance.random() < 0.5 else len(whole))
        other = bytes(
            chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256))) for _ in range(chance.randrange(1, 9))
        )
        yield chance.choice(
            (
                whole[:place],
                whole[:place] + other[:1] + whole[place + 1 :],
                whole[:place] + other + whole[place + len(other) :],
                whole[:place] + whole[place + len(other) :],
                whole[:place] + other + whole[place:],
            )
        )


def read(path: Path) -> None:
    if path.suffix in (".npy", ".binaryproto"):
        convert_mean(str(path), "safetensors")
    else:
        read_model(str(path))


def complaint(path: Path) -> str | None:
    """What is said of a file that cannot be read."""
    try:
        read(path)
    except CaffeError as error:
        return str(error)
    return None


@pytest.mark.filterwarnings("ignore")  # a changed name may be an unknown field's
@pytest.mark.parametrize("name", KINDS)
def test_damage_is_a_caffe_error(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    KINDS[name](str(path), model_of(TEXT))
    whole, complaints = path.read_bytes(), []
    read(path)
    for content in damaged(whole, random.Random(5)):
        path.write_bytes(content)
        complaints.append(complaint(path))

    told = [text for text in complaints if text is not None]
    assert len(told) > ROUNDS / 8
    assert all(text.startswith(str(tmp_path)) and "\n" not in text for text in told)

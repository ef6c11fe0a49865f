"""The random generators that training draws from, as values that fit JSON."""

import base64
import random
from typing import Any

import numpy as np
import torch


def capture(device: torch.device) -> dict[str, Any]:
    """The states of torch's generators (of the CPU and of this GPU), of NumPy's and of Python's."""
    generator, words, place, has_gauss, gauss = np.random.get_state(legacy=True)
    version, internal, gauss_next = random.getstate()
    states: dict[str, Any] = {
        "torch": _encode(torch.get_rng_state()),
        "numpy": [str(generator), [int(word) for word in words], place, has_gauss, gauss],
        "python": [version, list(internal), gauss_next],
    }
    if device.type == "cuda":
        states["cuda"] = _encode(torch.cuda.get_rng_state(device))
    return states


def restore(states: dict[str, Any], device: torch.device) -> None:
    """Sets the generators to states that `capture` returned; RuntimeError or ValueError where one does not fit."""
    torch.set_rng_state(_decode(states["torch"]))
    generator, words, *rest = states["numpy"]
    np.random.set_state((generator, np.array(words, np.uint32), *rest))
    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(internal), gauss_next))
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(_decode(states["cuda"]), device)


def _encode(state: torch.Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode()


def _decode(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)

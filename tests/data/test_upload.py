"""Batches reach the device as they are."""

import numpy as np
import pytest
import torch

from caffe_compat.data.upload import upload


def test_on_the_cpu_the_tensor_is_the_array() -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    tensor = upload(values, torch.device("cpu"))
    assert tensor.tolist() == values.tolist()
    values[1, 2, 3] = 99
    assert tensor[1, 2, 3] == 99


def test_on_a_gpu_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[torch.device, bool]] = []

    class Host:
        def pin_memory(self) -> "Host":
            return self

        def to(self, device: torch.device, non_blocking: bool = False) -> "Host":
            calls.append((device, non_blocking))
            return self

    monkeypatch.setattr(torch, "from_numpy", lambda _values: Host())
    upload(np.zeros(3), torch.device("cuda", 1))
    assert calls == [(torch.device("cuda", 1), True)]

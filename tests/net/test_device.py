"""The global mode."""

import pytest
import torch

from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.device import set_device


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for index in (2, -1):
        with pytest.raises(MissingFeatureError, match=rf"^expected a GPU below 2, got {index}$"):
            set_device(index)

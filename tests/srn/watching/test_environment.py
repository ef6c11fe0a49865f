import sys

import torch

from caffe_compat.srn.watching.environment import describe_environment


def test_versions_device_and_command(monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/train", "--solver=x"])
    found = describe_environment(torch.device("cpu"))
    assert found["device"] == "CPU"
    assert found["torch"] == torch.__version__.partition("+")[0] or found["torch"] == torch.__version__
    assert found["command"] == "train --solver=x"


def test_a_package_that_is_called_otherwise(monkeypatch) -> None:
    monkeypatch.setattr("caffe_compat.srn.watching.environment.PACKAGES", ("no-such-package",))
    assert describe_environment(torch.device("cpu"))["no-such-package"] == "another build"

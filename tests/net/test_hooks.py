"""Functions around each layer."""

import pytest

from caffe_compat.net.hooks import Hooks


def test_they_run_in_order_around_the_layer() -> None:
    calls: list[str] = []
    hooks = Hooks()
    hooks.before += [lambda layer: calls.append(f"first {layer}"), lambda layer: calls.append(f"second {layer}")]
    hooks.after.append(lambda layer: calls.append(f"last {layer}"))
    with hooks.around(4):
        calls.append("layer")
    assert calls == ["first 4", "second 4", "layer", "last 4"]


def test_a_layer_that_fails_is_not_done() -> None:
    hooks = Hooks(after=[lambda layer: pytest.fail("the layer has failed")])
    with pytest.raises(ZeroDivisionError), hooks.around(0):
        _ = 1 / 0

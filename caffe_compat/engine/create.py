"""Engines by name."""

from collections.abc import Callable

from caffe_compat.engine.base import Engine
from caffe_compat.engine.exact import ExactEngine
from caffe_compat.engine.fast import FastEngine
from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.net import Net

ENGINES: dict[str, Callable[[Net], Engine]] = {"exact": ExactEngine, "fast": FastEngine}


def create_engine(name: str, net: Net) -> Engine:
    """The engine of this name for this net."""
    if name not in ENGINES:
        raise MissingFeatureError(f"no engine '{name}'; expected one of: {', '.join(ENGINES)}")
    return ENGINES[name](net)

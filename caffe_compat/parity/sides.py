"""The other sides of a comparison that need no other program, by their names in `--against`.

They stand apart from the command, which holds flags only.
"""

from collections.abc import Callable, Mapping
from functools import partial

from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.net import Net
from caffe_compat.parity.opencv import record_opencv
from caffe_compat.parity.own_runs import FAST, PRECISIONS, record_fast, record_layers
from caffe_compat.parity.recording import Array, Recording

Inputs = Mapping[str, Array]
#: Gradients of outputs from which backward starts; empty if the net has losses, None for no backward.
Seeds = Mapping[str, Array] | None
Recorder = Callable[[Net, Inputs, Seeds], Recording]


def _opencv(net: Net, inputs: Inputs, seeds: Seeds) -> Recording:
    if seeds is not None:
        raise MissingFeatureError("OpenCV runs nets forward only; leave --backward out, or compare with a pycaffe")
    return record_opencv(net, inputs)


def _layers(precision: str, net: Net, inputs: Inputs, seeds: Seeds) -> Recording:
    return record_layers(net, inputs, precision, seeds)


def _fast(engine: str, net: Net, inputs: Inputs, seeds: Seeds) -> Recording:
    return record_fast(net, inputs, engine, seeds)


SIDES: dict[str, Recorder] = {
    "opencv": _opencv,
    **{name: partial(_layers, name) for name in PRECISIONS},
    **{name: partial(_fast, name) for name in FAST},
}
#: By side, the name of its tolerances; all other sides use those of float32.
PRECISION_OF = {"bf16": "bf16", "fast-bf16": "bf16"}

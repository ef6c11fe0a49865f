"""What a session of another runtime is: a function from inputs to outputs."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.float32]]
#: Runs a model that was made ready: inputs by name to outputs by name.
Session = Callable[[Arrays], Arrays]
#: Makes a model ready: from the bytes of an ONNX file, and the names for its outputs, in order. The file may have other
#: names: an output that a layer writes over an input cannot have the input's name there.
MakeSession = Callable[[bytes, list[str]], Session]

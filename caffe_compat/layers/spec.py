"""The specification from which a layer is built: LayerParameter, phase and settings of the net."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from torch import nn

from caffe_compat.errors import FieldError
from caffe_compat.layers.memory_budget import MemoryBudget
from caffe_compat.layers.params import Params
from caffe_compat.proto import caffe_pb2

#: Function of (spec, blob index, shape, learnable) that returns the blob, or None to let the filler create it.
MakeBlob = Callable[["LayerSpec", int, tuple[int, ...], bool], nn.Parameter | None]


@dataclass
class LayerSpec:
    """A LayerParameter with the phase of its net; `str(spec)` begins every message about the layer."""

    parameter: caffe_pb2.LayerParameter
    phase: str = "TRAIN"
    random_seed: int | None = None
    rank: int = 0
    world_size: int = 1
    allow_python_layers: bool = False
    make_blob: MakeBlob | None = None  # replaces the fillers, for example by a weights file
    budget: MemoryBudget = field(default_factory=MemoryBudget, repr=False)  # shared by all layers of a net
    _readers: dict[str, Params] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"layer '{self.name}' ({self.type})"

    @property
    def name(self) -> str:
        return self.parameter.name

    @property
    def type(self) -> str:
        return self.parameter.type

    @cached_property
    def top_count(self) -> int:
        return len(self.parameter.top)

    def params(self, message: str) -> Params:
        """The reader of a parameter message, `spec.params("pooling_param")`; every call returns the same reader."""
        if message not in self._readers:
            self._readers[message] = Params(message, getattr(self.parameter, message))
        return self._readers[message]

    @property
    def readers(self) -> list[Params]:
        """The readers of all messages that the layer has asked for so far."""
        return list(self._readers.values())

    def reject_unread_fields(self) -> None:
        """Raises an error for set fields that the layer has not read, in the messages that it reads."""
        for reader in self._readers.values():
            for name in reader.unread():
                raise FieldError(f"{self}: {name} is set but {self.type} does not honour it")

    def unread_messages(self) -> list[str]:
        """The names of set `*_param` messages that the layer does not use; Caffe ignores these messages too."""
        return [
            descriptor.name
            for descriptor, _ in self.parameter.ListFields()
            if descriptor.name.endswith("_param") and descriptor.name not in self._readers
        ]

"""What a layer is built from: its LayerParameter, the phase and the surroundings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from torch import nn

from caffe_compat.errors import FieldError
from caffe_compat.layers.memory_budget import MemoryBudget
from caffe_compat.layers.params import Params
from caffe_compat.proto import caffe_pb2

#: From a layer's spec, a blob's index, shape and whether it learns to the blob; None leaves it to the filler.
MakeBlob = Callable[["LayerSpec", int, tuple[int, ...], bool], nn.Parameter | None]


@dataclass
class LayerSpec:
    """One LayerParameter with the phase of its net; `str(spec)` starts every message about the layer."""

    parameter: caffe_pb2.LayerParameter
    phase: str = "TRAIN"
    random_seed: int | None = None
    rank: int = 0
    world_size: int = 1
    allow_python_layers: bool = False
    make_blob: MakeBlob | None = None  # gives blobs in place of the fillers, as a weights file does
    budget: MemoryBudget = field(default_factory=MemoryBudget, repr=False)  # counts what the whole net takes
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
        """The reader of one parameter message, `spec.params("pooling_param")`; the same one at every call."""
        if message not in self._readers:
            self._readers[message] = Params(message, getattr(self.parameter, message))
        return self._readers[message]

    @property
    def readers(self) -> list[Params]:
        """The messages that the layer has looked at so far."""
        return list(self._readers.values())

    def reject_unread_fields(self) -> None:
        """Refuses what is set in the messages the layer reads but not honoured by it."""
        for reader in self._readers.values():
            for name in reader.unread():
                raise FieldError(f"{self}: {name} is set but {self.type} does not honour it")

    def unread_messages(self) -> list[str]:
        """The `*_param` messages that are set but that the layer has no use for; Caffe ignores them too."""
        return [
            descriptor.name
            for descriptor, _ in self.parameter.ListFields()
            if descriptor.name.endswith("_param") and descriptor.name not in self._readers
        ]

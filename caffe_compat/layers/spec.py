"""What a prototxt says about a layer: its LayerParameter with the net's settings, a reader of fields, and arity."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import nn

from caffe_compat.errors import FieldError
from caffe_compat.layers.new_blobs import MemoryBudget
from caffe_compat.proto import caffe_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

#: Function of (spec, blob index, shape, learnable) that returns the blob, or None to let the filler create it.
MakeBlob = Callable[["LayerSpec", int, tuple[int, ...], bool], nn.Parameter | None]


@dataclass(frozen=True)
class Arity:
    """Allowed counts: `least`, `least` + `step` and so on, up to `most` (None: no limit); `str` words these counts."""

    least: int
    most: int | None
    step: int = 1

    def allows(self, count: int) -> bool:
        """Whether `count` is one of the allowed counts."""
        within = count >= self.least and (self.most is None or count <= self.most)
        return within and (count - self.least) % self.step == 0

    def __str__(self) -> str:
        if self.most == self.least:
            return f"exactly {self.least}"
        if self.most is None:
            return f"at least {self.least}"
        return f"{self.least} to {self.most}"


def exactly(count: int) -> Arity:
    """The Arity that allows `count` only."""
    return Arity(count, count)


def at_least(count: int) -> Arity:
    """The Arity that allows `count` and more."""
    return Arity(count, None)


def between(least: int, most: int) -> Arity:
    """The Arity that allows `least` to `most`, both included."""
    return Arity(least, most)


class Params:
    """Reads a layer's parameter message; set fields that nothing has read are refused later.

    Attribute access returns the field's value, or its default if the field is not set. Enums are returned as names,
    repeated fields as lists, and messages as messages.
    """

    def __init__(self, name: str, message: "Message") -> None:
        self.name = name
        self._message = message
        self._read: set[str] = set()
        self._ignored: set[str] = set()
        self._nested: dict[str, Params] = {}

    @property
    def _fields(self) -> "Mapping[str, FieldDescriptor]":
        # Looked up each time: a stored description would prevent copying and pickling of the reader.
        fields: Mapping[str, FieldDescriptor] = self._message.DESCRIPTOR.fields_by_name
        return fields

    def __getattr__(self, field: str) -> Any:
        if field.startswith("_"):
            raise AttributeError(field)
        if field not in self._fields:
            raise AttributeError(f"{self.name} has no field '{field}'")
        self._read.add(field)
        value = getattr(self._message, field)
        descriptor = self._fields[field]
        if descriptor.enum_type is not None:
            return descriptor.enum_type.values_by_number[value].name
        return list(value) if _is_repeated(descriptor) else value

    def has(self, field: str) -> bool:
        """Whether the field is set (for a repeated field: has entries); the call counts as reading the field."""
        self._read.add(field)
        if _is_repeated(self._fields[field]):
            return len(getattr(self._message, field)) > 0
        return bool(self._message.HasField(field))

    def ignore(self, *fields: str) -> None:
        """Marks fields as accepted without effect on results."""
        self._ignored.update(fields)

    def ignore_all(self) -> None:
        """Marks every field as accepted without effect on results."""
        self._ignored.update(self._fields)

    def nested(self, field: str) -> "Params":
        """The reader of the message in `field`; its unread fields count as unread fields of this reader."""
        return self._nested.setdefault(field, Params(f"{self.name}.{field}", getattr(self._message, field)))

    def every_field(self) -> list[str]:
        """The names of all fields of the message and of nested readers, as `pooling_param.kernel_h`."""
        own = [f"{self.name}.{field}" for field in self._fields if field not in self._nested]
        return own + [name for reader in self._nested.values() for name in reader.every_field()]

    def honoured(self) -> set[str]:
        """The names of the fields read so far, as `pooling_param.kernel_h`."""
        own = {f"{self.name}.{field}" for field in self._read}
        return own.union(*(reader.honoured() for reader in self._nested.values()))

    def ignored(self) -> set[str]:
        """The names of the fields marked by `ignore`, as `pooling_param.engine`."""
        return {f"{self.name}.{field}" for field in self._ignored}

    def unread(self) -> list[str]:
        """The names of set fields that nothing has read, as `pooling_param.kernel_h`."""
        known = self._read | self._ignored | self._nested.keys()
        own = [f"{self.name}.{field.name}" for field, _ in self._message.ListFields() if field.name not in known]
        return own + [name for reader in self._nested.values() for name in reader.unread()]


def _is_repeated(descriptor: Any) -> bool:
    # protobuf 7 dropped FieldDescriptor.label; 4 and 5 lack is_repeated.
    repeated = getattr(descriptor, "is_repeated", None)
    return bool(repeated) if repeated is not None else descriptor.label == descriptor.LABEL_REPEATED


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

    @cached_property  # asked for with every forward
    def type(self) -> str:
        return self.parameter.type

    @cached_property
    def top_count(self) -> int:
        return len(self.parameter.top)

    def params(self, message: str) -> Params:
        """The reader of a parameter message, `spec.params("pooling_param")`; every call returns the same reader.

        FieldError for a field that is NaN, which would pass every comparison with a limit.
        """
        if message not in self._readers:
            self._refuse_nan(message)
            self._readers[message] = Params(message, getattr(self.parameter, message))
        return self._readers[message]

    def _refuse_nan(self, message: str) -> None:
        for descriptor, value in getattr(self.parameter, message).ListFields():
            if descriptor.cpp_type not in (descriptor.CPPTYPE_FLOAT, descriptor.CPPTYPE_DOUBLE):
                continue
            if any(map(math.isnan, value if _is_repeated(descriptor) else [value])):
                raise FieldError(f"{self}: expected a number in {message}.{descriptor.name}, got nan")

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

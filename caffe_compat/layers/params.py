"""A view of one `*_param` message that remembers which fields a layer read."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message


class Params:
    """Reads a layer's parameter message; fields that no one read are refused later.

    Attribute access gives the field's value, or its default where it is not set. Enums come as their names, repeated
    fields as lists, messages as messages.
    """

    def __init__(self, name: str, message: "Message") -> None:
        self.name = name
        self._message = message
        self._read: set[str] = set()
        self._ignored: set[str] = set()
        self._nested: dict[str, Params] = {}

    @property
    def _fields(self) -> "Mapping[str, FieldDescriptor]":
        # Not kept: a message can be copied and pickled, its description cannot.
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
        """Whether the field is set (a repeated field: whether it has entries); counts as reading it."""
        self._read.add(field)
        if _is_repeated(self._fields[field]):
            return len(getattr(self._message, field)) > 0
        return bool(self._message.HasField(field))

    def ignore(self, *fields: str) -> None:
        """Says that these fields cannot change the result."""
        self._ignored.update(fields)

    def nested(self, field: str) -> "Params":
        """The reader of a message within this one, whose unread fields count as this one's."""
        return self._nested.setdefault(field, Params(f"{self.name}.{field}", getattr(self._message, field)))

    def every_field(self) -> list[str]:
        """All fields that the message has, as `pooling_param.kernel_h`; with those of nested readers."""
        own = [f"{self.name}.{field}" for field in self._fields if field not in self._nested]
        return own + [name for reader in self._nested.values() for name in reader.every_field()]

    def honoured(self) -> set[str]:
        """The fields read so far, as `pooling_param.kernel_h`."""
        own = {f"{self.name}.{field}" for field in self._read}
        return own.union(*(reader.honoured() for reader in self._nested.values()))

    def ignored(self) -> set[str]:
        """The fields said to change nothing, as `pooling_param.engine`."""
        return {f"{self.name}.{field}" for field in self._ignored}

    def unread(self) -> list[str]:
        """The set fields that no one read, as `pooling_param.kernel_h`."""
        known = self._read | self._ignored | self._nested.keys()
        own = [f"{self.name}.{field.name}" for field, _ in self._message.ListFields() if field.name not in known]
        return own + [name for reader in self._nested.values() for name in reader.unread()]


def _is_repeated(descriptor: Any) -> bool:
    # protobuf 7 dropped FieldDescriptor.label; 4 and 5 lack is_repeated.
    repeated = getattr(descriptor, "is_repeated", None)
    return bool(repeated) if repeated is not None else descriptor.label == descriptor.LABEL_REPEATED

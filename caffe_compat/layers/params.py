"""A reader of a `*_param` message that records which fields a layer has read."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message


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

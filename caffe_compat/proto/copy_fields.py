"""Copies a message into another schema of the same message, field by field name."""

from typing import Any, TypeVar, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from caffe_compat.errors import DialectError

MessageType = TypeVar("MessageType", bound=Message)

_NAMED_BY_TYPE = ("LayerParameter", "V1LayerParameter")


def copy_fields(message: Message, target: type[MessageType], dialect: str) -> MessageType:
    """The message in the schema of `target`, or itself if it is of that; DialectError where `dialect` lacks a field.

    Enums go by name; a list of equal values may become one value; a field that the target lacks may be left out where
    it is set to its default.
    """
    if message.DESCRIPTOR is target.DESCRIPTOR:
        return cast(MessageType, message)
    copy: MessageType = target()
    _Copier(dialect).copy(message, copy)
    return copy


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether a field is a list. In proto2 every other field knows whether it is set; protobuf 4 to 7 agree on that."""
    return not field.has_presence


def missing_fields(message: Any) -> list[str]:
    """The paths of required fields that no value is set for."""
    return list(message.FindInitializationErrors())


class _Copier:
    """Copies one message and those inside it, and knows the layer that it is in for errors."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.layer = ""

    def copy(self, source: Any, copy: Any) -> None:
        """Copies every set field of `source`."""
        if source.DESCRIPTOR.name in _NAMED_BY_TYPE:
            self.layer = f"layer '{source.name}' ({_type_name(source)}): "
        for field, value in source.ListFields():
            known = copy.DESCRIPTOR.fields_by_name.get(field.name)
            values = list(value) if is_repeated(field) else [value]
            if known is None:
                self._leave_out(field, value, copy)
            elif field.message_type is not None:
                self._copy_messages(values, known, copy)
            else:
                self._copy_scalars(field, values, known, copy)

    def _copy_messages(self, values: list[Message], known: FieldDescriptor, copy: Message) -> None:
        for value in values:
            inner = getattr(copy, known.name).add() if is_repeated(known) else getattr(copy, known.name)
            inner.SetInParent()  # an empty message is said, too
            self.copy(value, inner)

    def _copy_scalars(self, field: FieldDescriptor, values: list[Any], known: FieldDescriptor, copy: Message) -> None:
        if field.enum_type is not None:
            values = [self._enum_number(field, value, known) for value in values]
        if is_repeated(known):
            getattr(copy, known.name).extend(values)
        elif len(set(values)) == 1:
            setattr(copy, known.name, values[0])
        else:
            raise DialectError(
                f"{self.layer}{_full_name(known)} may hold one value in the {self.dialect} dialect, found {values}"
            )

    def _enum_number(self, field: FieldDescriptor, value: int, known: FieldDescriptor) -> int:
        """An enum's number in the other schema."""
        name = field.enum_type.values_by_number[value].name
        if name not in known.enum_type.values_by_name:
            raise DialectError(
                f"{self.layer}{_full_name(known)} cannot be {name} in the {self.dialect} dialect; "
                f"it knows {', '.join(known.enum_type.values_by_name)}"
            )
        return int(known.enum_type.values_by_name[name].number)

    def _leave_out(self, field: FieldDescriptor, value: Any, copy: Message) -> None:
        if is_repeated(field) or field.message_type is not None or value != field.default_value:
            raise DialectError(
                f"{self.layer}the {self.dialect} dialect has no {copy.DESCRIPTOR.name}.{field.name}; "
                "leave the field out, write the other dialect, or write dialect 'own' for this program alone"
            )


def _type_name(layer: Any) -> str:
    field = layer.DESCRIPTOR.fields_by_name["type"]
    return str(field.enum_type.values_by_number[layer.type].name if field.enum_type else layer.type)


def _full_name(field: FieldDescriptor) -> str:
    return f"{field.containing_type.name}.{field.name}"

"""Copies a message into another schema of the same message by field names."""

from typing import Any, TypeVar, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from caffe_compat.errors import DialectError

MessageType = TypeVar("MessageType", bound=Message)

_NAMED_BY_TYPE = ("LayerParameter", "V1LayerParameter")


def copy_fields(
    message: Message, target: type[MessageType], dialect: str, left_out: list[str] | None = None
) -> MessageType:
    """Returns the message in the schema of `target`, or the message itself if it has this schema already.

    Enums are matched by name. A list of equal values may become one value. Fields that the target lacks are left out
    if they have their default. DialectError for other missing fields; with a list `left_out`, they are left out
    instead and named in this list.
    """
    if message.DESCRIPTOR is target.DESCRIPTOR:
        return cast(MessageType, message)
    copy: MessageType = target()
    _Copier(dialect, left_out).copy(message, copy)
    return copy


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether a field is a list. In proto2 every other field knows whether it is set; protobuf 4 to 7 agree on that."""
    return not field.has_presence


def missing_fields(message: Any) -> list[str]:
    """Returns the paths of required fields without a value."""
    return list(message.FindInitializationErrors())


class _Copier:
    """Copies a message with its inner messages, and stores the present layer for error messages."""

    def __init__(self, dialect: str, left_out: list[str] | None) -> None:
        self.dialect = dialect
        self.left_out = left_out
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

    def _refuse(self, name: str, why: str) -> None:
        if self.left_out is None:
            raise DialectError(why)
        self.left_out.append(f"{self.layer}{name}")

    def _copy_messages(self, values: list[Message], known: FieldDescriptor, copy: Message) -> None:
        for value in values:
            inner = getattr(copy, known.name).add() if is_repeated(known) else getattr(copy, known.name)
            inner.SetInParent()  # keeps empty messages
            self.copy(value, inner)

    def _copy_scalars(self, field: FieldDescriptor, values: list[Any], known: FieldDescriptor, copy: Message) -> None:
        if field.enum_type is not None:
            names = [field.enum_type.values_by_number[value].name for value in values]
            values = [number for name in names if (number := self._enum_number(name, known)) is not None]
        if is_repeated(known):
            getattr(copy, known.name).extend(values)
        elif len(set(values)) == 1:
            setattr(copy, known.name, values[0])
        elif values:
            why = f"{self.layer}{_full_name(known)} may hold one value in the {self.dialect} dialect, found {values}"
            self._refuse(_full_name(known), why)

    def _enum_number(self, name: str, known: FieldDescriptor) -> int | None:
        """Returns the number of an enum's value in the other schema, or None if this value may be left out."""
        if name in known.enum_type.values_by_name:
            return int(known.enum_type.values_by_name[name].number)
        self._refuse(
            f"{_full_name(known)} {name}",
            f"{self.layer}{_full_name(known)} cannot be {name} in the {self.dialect} dialect; "
            f"it knows {', '.join(known.enum_type.values_by_name)}",
        )
        return None

    def _leave_out(self, field: FieldDescriptor, value: Any, copy: Message) -> None:
        if is_repeated(field) or field.message_type is not None or value != field.default_value:
            self._refuse(
                f"{copy.DESCRIPTOR.name}.{field.name}",
                f"{self.layer}the {self.dialect} dialect has no {copy.DESCRIPTOR.name}.{field.name}; "
                "leave the field out, write the other dialect, or write dialect 'own' for this program alone",
            )


def _type_name(layer: Any) -> str:
    field = layer.DESCRIPTOR.fields_by_name["type"]
    return str(field.enum_type.values_by_number[layer.type].name if field.enum_type else layer.type)


def _full_name(field: FieldDescriptor) -> str:
    return f"{field.containing_type.name}.{field.name}"

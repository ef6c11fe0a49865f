"""Finds which fields a layer honours: builds the layer with each field set in turn and asks which fields were read."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import text_format

from caffe_compat.errors import CaffeError
from caffe_compat.layers.registry import layer_class
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.proto import caffe_pb2


@dataclass
class Fields:
    """All fields of the messages that a layer reads, as `pooling_param.kernel_h`, and the layer's use of the fields."""

    every: dict[str, None] = field(default_factory=dict)  # in the schema's order
    honoured: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)

    def add(self, spec: LayerSpec) -> None:
        """Adds the fields that a layer has read or ignored."""
        for reader in spec.readers:
            self.every.update(dict.fromkeys(reader.every_field()))
            self.honoured |= reader.honoured()
            self.ignored |= reader.ignored()

    @property
    def refused(self) -> set[str]:
        """The fields that no variant of the layer has read."""
        return set(self.every) - self.honoured - self.ignored


def fields_of(example: caffe_pb2.LayerParameter) -> Fields:
    """The fields that the example reads, and those that it reads when any single field is changed."""
    fields = Fields()
    fields.add(_built(example))
    for name in list(fields.every):
        for variant in _with_field_set(example, name.split(".")):
            fields.add(_built(variant))
    return fields


def _built(parameter: caffe_pb2.LayerParameter) -> LayerSpec:
    # An impossible value raises an error only after the field was read, so the error does not matter here.
    spec = LayerSpec(parameter, allow_python_layers=True)
    with contextlib.suppress(CaffeError):
        layer = layer_class(spec)(spec)
        getattr(layer, "close", lambda: None)()
    return spec


def _with_field_set(example: caffe_pb2.LayerParameter, path: list[str]) -> Iterator[caffe_pb2.LayerParameter]:
    *parents, name = path
    for text in _values(_message_at(example, parents).DESCRIPTOR.fields_by_name[name]):
        variant = caffe_pb2.LayerParameter()
        variant.CopyFrom(example)
        message = _message_at(variant, parents)
        message.ClearField(name)
        text_format.Merge(f"{name} {text}", message)
        yield variant


def _message_at(message: Any, path: list[str]) -> Any:
    for name in path:
        message = getattr(message, name)
    return message


def _values(descriptor: Any) -> list[str]:
    """Values to try for a field, as prototxt text."""
    if descriptor.message_type is not None:
        return ["{ }"]
    if descriptor.enum_type is not None:
        return [f": {value.name}" for value in descriptor.enum_type.values]
    if descriptor.cpp_type == descriptor.CPPTYPE_BOOL:
        return [": true", ": false"]
    return [": 'no/such/%04d'"] if descriptor.cpp_type == descriptor.CPPTYPE_STRING else [": 1"]

"""Which fields a layer honours, found by building it with every field set in turn and asking what was read."""

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
    """Names as `pooling_param.kernel_h`: all of the messages that the layer looks at, and what becomes of them."""

    every: dict[str, None] = field(default_factory=dict)  # in the schema's order
    honoured: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)

    def add(self, spec: LayerSpec) -> None:
        """Takes in what a layer has read."""
        for reader in spec.readers:
            self.every.update(dict.fromkeys(reader.every_field()))
            self.honoured |= reader.honoured()
            self.ignored |= reader.ignored()

    @property
    def refused(self) -> set[str]:
        """The fields that no variant of the layer read."""
        return set(self.every) - self.honoured - self.ignored


def fields_of(example: caffe_pb2.LayerParameter) -> Fields:
    """What the example reads, and what it reads with any one field changed."""
    fields = Fields()
    fields.add(_built(example))
    for name in list(fields.every):
        for variant in _with_field_set(example, name.split(".")):
            fields.add(_built(variant))
    return fields


def _built(parameter: caffe_pb2.LayerParameter) -> LayerSpec:
    # An impossible value is an error after it was read, and reading is all that is asked here.
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
    """What to try for a field, as prototxt."""
    if descriptor.message_type is not None:
        return ["{ }"]
    if descriptor.enum_type is not None:
        return [f": {value.name}" for value in descriptor.enum_type.values]
    if descriptor.cpp_type == descriptor.CPPTYPE_BOOL:
        return [": true", ": false"]
    return [": 'no/such/%04d'"] if descriptor.cpp_type == descriptor.CPPTYPE_STRING else [": 1"]

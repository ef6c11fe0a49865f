"""Hypotheses: one field of the layer's message has another value on the other side."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from caffe_compat.errors import CaffeError
from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.registry import layer_class
from caffe_compat.parity.causes.fit import fit_factor, fit_number
from caffe_compat.parity.causes.trial import Trial, with_parameter
from caffe_compat.parity.recording import Recorded
from caffe_compat.proto import caffe_pb2

#: Fields that cannot change a result.
WITHOUT_EFFECT = frozenset({"engine", "force_nd_im2col", "weight_filler", "bias_filler", "filler"})
#: Values other than Caffe's default that known implementations use.
WELL_KNOWN: dict[str, tuple[float, ...]] = {
    "eps": (1e-3, 1e-4, 1e-5, 2e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 0.0),
    "negative_slope": (0.0, 0.01, 0.1, 0.2, 0.25),
    "moving_average_fraction": (0.9, 0.95, 0.99, 0.999),
    "momentum": (0.1, 0.9, 0.95, 0.99, 0.999),
    "dropout_ratio": (0.0, 0.2, 0.5),
    "alpha": (1e-4, 1e-3, 1.0, 0.1),
    "beta": (0.5, 0.75, 1.0),
    "k": (1.0, 2.0),
}


@dataclass(frozen=True)
class Field:
    """A field of one of a layer's messages, and its present value."""

    message: str
    name: str
    value: Any
    descriptor: Any
    is_set: bool

    def set_to(self, value: Any) -> Callable[[caffe_pb2.LayerParameter], None]:
        """Returns a function that sets this field of a layer's message to the value."""

        def change(parameter: caffe_pb2.LayerParameter) -> None:
            message = getattr(parameter, self.message)
            if isinstance(value, list):
                getattr(message, self.name)[:] = value
            else:
                setattr(message, self.name, value)

        return change


def changed_fields(trial: Trial) -> Iterator[Trial]:
    """Yields a trial per changed field value.

    Tries all other values of bools and enums, neighbours of integers, and well-known values of real numbers.
    """
    for field in fields_of(trial.parameter):
        for value in _other_values(field):
            ours = _shown(field, field.value) if field.is_set else f"none given ({_shown(field, field.value)})"
            says = f"{field.name}: {_shown(field, value)} explains the other side, ours has {ours}"
            yield replace(trial, parameter=with_parameter(trial, field.set_to(value)), says=says)


def fitted_fields(trial: Trial, theirs: Recorded) -> Iterator[Trial]:
    """Yields a trial per real-valued field, with the value that fits the other side best."""
    for field in fields_of(trial.parameter):
        if field.descriptor.cpp_type not in (field.descriptor.CPPTYPE_FLOAT, field.descriptor.CPPTYPE_DOUBLE):
            continue
        if not isinstance(field.value, float):
            continue

        def with_value(value: float, field: Field = field) -> Trial:
            says = f"{field.name}: {value:.4g} explains the other side, ours has {field.value:g}"
            return replace(trial, parameter=with_parameter(trial, field.set_to(value)), says=says)

        fit = fit_factor if field.name == "eps" else fit_number
        yield with_value(fit(with_value, theirs, field.value))


def fields_of(parameter: caffe_pb2.LayerParameter) -> list[Field]:
    """Returns the fields that may change a layer's result."""
    return [
        _field(message, getattr(parameter, message), descriptor)
        for message in messages_of(parameter)
        for descriptor in getattr(parameter, message).DESCRIPTOR.fields
        if descriptor.name not in WITHOUT_EFFECT and descriptor.message_type is None
    ]


def messages_of(parameter: caffe_pb2.LayerParameter) -> tuple[str, ...]:
    """Returns the names of the messages that a layer reads, such as batch_norm_param; builds the layer to find out."""
    spec = LayerSpec(parameter)
    with suppress(CaffeError):
        layer_class(spec)(spec)
    return tuple(reader.name for reader in spec.readers)


def _field(name: str, message: Any, descriptor: Any) -> Field:
    value = getattr(message, descriptor.name)
    is_single = isinstance(value, (bool, int, float, str))
    is_set = any(found.name == descriptor.name for found, _ in message.ListFields())
    return Field(name, descriptor.name, value if is_single else list(value), descriptor, is_set)


def _other_values(field: Field) -> list[Any]:
    descriptor = field.descriptor
    if descriptor.enum_type is not None:
        return [number for number in descriptor.enum_type.values_by_number if number != field.value]
    if isinstance(field.value, bool):
        # The default of an unset bool may depend on the phase, so both values are tried.
        return [not field.value] if field.is_set else [False, True]
    if isinstance(field.value, list):
        return _other_lists(field)
    if isinstance(field.value, int):
        return sorted({field.value - 1, field.value + 1, descriptor.default_value, 1, 2, 3} - {field.value, -1})
    if isinstance(field.value, float):
        known = (descriptor.default_value, *WELL_KNOWN.get(field.name, ()))
        return [value for value in dict.fromkeys(known) if value != field.value]
    return []


def _other_lists(field: Field) -> list[list[Any]]:
    values: list[Any] = field.value
    if field.descriptor.cpp_type == field.descriptor.CPPTYPE_FLOAT:
        others = [[], values[::-1]]
    else:
        # An unset field may be set on the other side (`pad: 1`), so small numbers are tried as well.
        others = [[], values[::-1], *([value + step for value in values or [0]] for step in (-1, 1, 2, 3))]
    return [other for other in others if other != values and all(not isinstance(v, int) or v >= 0 for v in other)]


def _shown(field: Field, value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_shown(field, entry) for entry in value) or "none"
    if field.descriptor.enum_type is not None:
        return str(field.descriptor.enum_type.values_by_number[value].name)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)

"""Nets written as Python: layers are functions of tops, `L.Convolution(n.data, kernel_size=3)` (pycaffe's net_spec).

`layers` (L) makes layers, `params` (P) names enum values, `NetSpec` names tops, `to_proto` gives a NetParameter.
"""

import difflib
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from google.protobuf.message import Message

from caffe_compat.errors import FieldError, GraphError
from caffe_compat.proto import caffe_pb2


class NotATopError(GraphError, TypeError):
    """A layer is given something else than tops."""


class Top:
    """The `n`-th blob that a layer makes."""

    def __init__(self, fn: "Function", n: int) -> None:
        self.fn = fn
        self.n = n

    def to_proto(self) -> caffe_pb2.NetParameter:
        """A net of all layers that this top needs."""
        return to_proto(self)


class Function:
    """A layer to be: its type, the tops it reads and its fields; `ntop` and `in_place` are among its arguments."""

    def __init__(self, type_name: str, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> None:
        for index, given in enumerate(inputs):
            if not isinstance(given, Top):
                raise NotATopError(f"{type_name} input {index} is not a Top (type is {type(given)})")
        self.type_name = type_name
        self.inputs: tuple[Top, ...] = inputs
        self.params = dict(params)
        self.ntop: int = self.params.pop("ntop", 1)
        self.in_place: bool = self.params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    @property
    def fn(self) -> "Function":
        """Itself, so that layers without tops can stand where tops do."""
        return self


Made = Top | Function


class _Names:
    """Names of tops and of layers without tops: those given, else the type and a number."""

    def __init__(self, given: Mapping[Made, str]) -> None:
        self._names = dict(given)
        self._counts: Counter[str] = Counter()

    def of(self, made: Made) -> str:
        if made not in self._names:
            type_name = made.fn.type_name
            self._counts[type_name] += 1
            self._names[made] = f"{type_name}{self._counts[type_name]}"
        return self._names[made]


def to_proto(*tops: Made) -> caffe_pb2.NetParameter:
    """A net of all layers that these tops need."""
    return _net(tops, {})


def _net(wanted: Iterable[Made], given_names: Mapping[Made, str]) -> caffe_pb2.NetParameter:
    names = _Names(given_names)
    made: OrderedDict[Function, caffe_pb2.LayerParameter] = OrderedDict()
    for top in wanted:
        for function in _needed(top.fn, made):
            made[function] = _layer(function, made, names)
    return caffe_pb2.NetParameter(layer=made.values())


def _needed(function: Function, made: Mapping[Function, Any]) -> Iterator[Function]:
    """The layers that are still to be made for this one, inputs first, and itself."""
    path = [(function, iter(function.inputs))] if function not in made else []
    while path:
        current, inputs = path[-1]
        missing = next((top.fn for top in inputs if top.fn not in made), None)
        if missing is not None:
            path.append((missing, iter(missing.inputs)))
        else:
            path.pop()
            yield current


def _layer(
    function: Function, made: Mapping[Function, caffe_pb2.LayerParameter], names: _Names
) -> caffe_pb2.LayerParameter:
    bottoms = [made[top.fn].top[top.n] for top in function.inputs]
    tops = bottoms if function.in_place else [names.of(top) for top in function.tops]
    name = names.of(function.tops[0] if function.tops else function)
    layer = caffe_pb2.LayerParameter(name=name, type=function.type_name, bottom=bottoms, top=tops)
    for field, value in function.params.items():
        assign_proto(_message_of(layer, field), field, value)
    return layer


def _message_of(layer: caffe_pb2.LayerParameter, field: str) -> Message:
    """The layer itself, or its type's own parameter message where that has the field."""
    if layer.type not in _PARAMETER_NAMES or field.endswith("param"):
        return layer
    own = f"{_PARAMETER_NAMES[layer.type]}_param"
    parameters: Message = getattr(layer, own)
    known = parameters.DESCRIPTOR.fields_by_name
    if field not in known and field not in layer.DESCRIPTOR.fields_by_name:
        raise FieldError(f"layer type '{layer.type}': {own} has no field '{field}'{_hint(field, known)}")
    return parameters if field in known else layer


def assign_proto(message: Message, field: str, value: Any) -> None:
    """Sets a field from Python: dicts fill messages, lists repeated fields, enums also go by name.

    One value for a repeated field is a list of one.
    """
    descriptor = message.DESCRIPTOR.fields_by_name.get(field)
    if descriptor is None:
        kind = message.DESCRIPTOR.name
        raise FieldError(f"{kind} has no field '{field}'{_hint(field, message.DESCRIPTOR.fields_by_name)}")
    current = getattr(message, field)
    if hasattr(current, "extend"):
        for item in value if isinstance(value, list | tuple) else [value]:
            _append(current, _enum_number(descriptor, item))
    elif isinstance(value, dict):
        current.SetInParent()
        _fill(current, value)
    else:
        setattr(message, field, _enum_number(descriptor, value))


def _append(repeated: Any, item: Any) -> None:
    if isinstance(item, dict):
        _fill(repeated.add(), item)
    else:
        repeated.append(item)


def _fill(message: Message, fields: Mapping[str, Any]) -> None:
    for field, value in fields.items():
        assign_proto(message, field, value)


def _enum_number(descriptor: Any, value: Any) -> Any:
    if descriptor.enum_type is None or not isinstance(value, str):
        return value
    values = descriptor.enum_type.values_by_name
    if value not in values:
        raise FieldError(f"{descriptor.name} has no value '{value}'; expected one of {', '.join(values)}")
    return values[value].number


def _hint(field: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(field, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def param_name_dict() -> dict[str, str]:
    """The field of LayerParameter that belongs to a type, without _param: "LRN" has lrn_param, an LRNParameter."""
    fields = caffe_pb2.LayerParameter.DESCRIPTOR.fields
    return {
        field.message_type.name.removesuffix("Parameter"): field.name.removesuffix("_param")
        for field in fields
        if field.message_type is not None and field.name.endswith("_param")
    }


_PARAMETER_NAMES = param_name_dict() | {"NormalizeBBox": "norm"}  # a second name of SSD's Normalize


class NetSpec:
    """Tops with names: `n.conv1 = L.Convolution(...)`; `n.to_proto()` gives a net of all that they need."""

    tops: "OrderedDict[str, Made]"

    def __init__(self) -> None:
        super().__setattr__("tops", OrderedDict())

    def __setattr__(self, name: str, value: Made) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        if name != "tops" and name in self.tops:
            return self.tops[name]
        if name in _OF_SSD:  # behind the tops, which may have such a name in a script of BVLC's
            return partial(_OF_SSD[name], self)
        raise AttributeError(f"the NetSpec has no top '{name}'")

    def __setitem__(self, name: str, value: Made) -> None:
        self.tops[name] = value

    def __getitem__(self, name: str) -> Made:
        return self.tops[name]

    def __delitem__(self, name: str) -> None:
        del self.tops[name]

    def to_proto(self) -> caffe_pb2.NetParameter:
        """A net of all layers that the named tops need, in the order of the names."""
        return _net(self.tops.values(), {top: name for name, top in self.tops.items()})


def _update(spec: NetSpec, name: str, params: Mapping[str, Any]) -> None:
    spec.tops[name].fn.params.update(params)


#: What the NetSpec of SSD's Caffe also has; its model_libs.py builds nets with it.
_OF_SSD: dict[str, Callable[..., Any]] = {
    "keys": lambda spec: list(spec.tops),
    "vals": lambda spec: list(spec.tops.values()),
    "update": _update,
}


class Layers:
    """`L`: every attribute that starts with a capital is a function that makes a layer of that type."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if not name[:1].isupper():
            raise AttributeError(f"no layer type '{name}': types start with a capital")

        def make_layer(*inputs: Top, **params: Any) -> Top | Function | tuple[Top, ...]:
            function = Function(name, inputs, params)
            return {0: function, 1: function.tops[0] if function.tops else function}.get(function.ntop, function.tops)

        return make_layer


class _Enums:
    def __init__(self, message: type[Message]) -> None:
        self._message = message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._message, name)


class Parameters:
    """`P`: the enum values of layers' parameters, `P.Pooling.MAX`."""

    def __getattr__(self, name: str) -> _Enums:
        message = getattr(caffe_pb2, f"{name}Parameter", None)
        if message is None:
            raise AttributeError(f"no message '{name}Parameter'")
        return _Enums(message)


layers = Layers()
params = Parameters()

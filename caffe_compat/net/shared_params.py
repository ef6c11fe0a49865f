"""Learnable parameters with their multipliers, and parameters shared by name (Net::AppendParam)."""

from dataclasses import dataclass, field

from torch import nn

from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.layers.base import Layer
from caffe_compat.net.blob import gradient_of
from caffe_compat.proto import caffe_pb2


@dataclass
class LearnableParameter:
    """One weight of the net that a solver may change, with its learning-rate and decay multipliers."""

    parameter: nn.Parameter
    lr_mult: float
    decay_mult: float
    label: str  # "conv1/0", for messages and reports
    lr_given: bool = True
    decay_given: bool = True
    views: list[nn.Parameter] = field(default_factory=list)  # weights of other shapes that share this one (PERMISSIVE)

    def tie_views(self) -> None:
        """Makes sharers of other shapes use this parameter's memory; must be called again after a move of device."""
        for view in self.views:
            view.data = self.parameter.data.view(view.shape)
            view.grad = gradient_of(self.parameter).view(view.shape)
            vars(view)["is_tied"] = vars(self.parameter)["is_tied"] = True


def is_tied(parameter: nn.Parameter) -> bool:
    """Whether weights of other shapes share this parameter's memory, so that the memory must not be replaced."""
    return getattr(parameter, "is_tied", False)


@dataclass
class _Registry:
    owners: dict[str, LearnableParameter] = field(default_factory=dict)
    learnable: list[LearnableParameter] = field(default_factory=list)


def collect_parameters(layers: list[Layer]) -> list[LearnableParameter]:
    """Returns the net's learnable parameters in Caffe's order.

    Changes layers in place: blobs that share a `param` name become one parameter. GraphError for too many `param`
    entries or different multipliers, ShapeError for shapes that cannot be shared.
    """
    registry = _Registry()
    for layer in layers:
        if len(layer.spec.parameter.param) > len(layer.blobs):
            raise GraphError(
                f"{layer.spec}: too many params specified: expected at most {len(layer.blobs)} (one a blob), "
                f"got {len(layer.spec.parameter.param)}"
            )
        for index in range(len(layer.blobs)):
            _append(registry, layer, index)
    return registry.learnable


def _append(registry: _Registry, layer: Layer, index: int) -> None:
    spec = param_spec(layer, index)
    fixed = index in layer.fixed_blobs
    this = LearnableParameter(
        layer.blobs[index],
        0.0 if fixed else spec.lr_mult,
        0.0 if fixed else spec.decay_mult,
        f"{layer.name}/{index}",
        spec.HasField("lr_mult"),
        spec.HasField("decay_mult"),
    )
    owner = registry.owners.get(spec.name)
    if owner is None:
        registry.learnable.append(this)
        if spec.name:
            registry.owners[spec.name] = this
        return
    _check_shape(layer, index, spec, owner)
    _merge_multipliers(layer, spec, owner, this)
    if layer.blobs[index].shape == owner.parameter.shape:
        layer.blobs[index] = owner.parameter
    else:
        owner.views.append(layer.blobs[index])
        owner.tie_views()


def param_spec(layer: Layer, index: int) -> caffe_pb2.ParamSpec:
    """Returns the `param { }` entry of the layer's blob number `index`, or an empty entry."""
    params = layer.spec.parameter.param
    return params[index] if index < len(params) else caffe_pb2.ParamSpec()


def _check_shape(layer: Layer, index: int, spec: caffe_pb2.ParamSpec, owner: LearnableParameter) -> None:
    mine, theirs = layer.blobs[index], owner.parameter
    permissive = spec.share_mode == caffe_pb2.ParamSpec.PERMISSIVE
    if (mine.numel() == theirs.numel()) if permissive else (mine.shape == theirs.shape):
        return
    what = "count" if permissive else "shape"
    raise ShapeError(
        f"{layer.spec}: cannot share param '{spec.name}' owned by {owner.label}: {what} mismatch; "
        f"owner shape is {tuple(theirs.shape)}, sharing layer shape is {tuple(mine.shape)}"
    )


def _merge_multipliers(
    layer: Layer, spec: caffe_pb2.ParamSpec, owner: LearnableParameter, this: LearnableParameter
) -> None:
    for value, given in (("lr_mult", "lr_given"), ("decay_mult", "decay_given")):
        if not getattr(this, given):
            continue
        if getattr(owner, given) and getattr(owner, value) != getattr(this, value):
            raise GraphError(
                f"{layer.spec}: shared param '{spec.name}' has mismatched {value}: "
                f"{getattr(owner, value)} at {owner.label}, {getattr(this, value)} here"
            )
        setattr(owner, value, getattr(this, value))
        setattr(owner, given, True)

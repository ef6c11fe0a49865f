"""A net without numbers, set up so that its shapes are known although its data may not be at hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from caffe_compat.errors import CaffeError, GraphError, ShapeError
from caffe_compat.graph.builder import GraphBuilder, filter_net, shapes_only
from caffe_compat.graph.wiring import Step
from caffe_compat.layers.base import Shape
from caffe_compat.layers.registry import layer_class
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.proto import caffe_pb2

#: Channels of an image whose data layer does not say them.
COLOUR = 3


@dataclass(frozen=True)
class Place:
    """A layer in its place.

    `step` is None for a data layer whose files are not there, and for a loss below a label of unknown shape; `note`
    then says why.
    """

    parameter: caffe_pb2.LayerParameter
    step: Step | None
    bottom_shapes: Sequence[Shape]
    top_shapes: Sequence[Shape]
    note: str = ""


@dataclass(frozen=True)
class NetGraph:
    """The layers of one phase in order, and the shape of every blob whose shape is known."""

    name: str
    phase: str
    places: Sequence[Place]
    shapes: Mapping[str, Shape]


def net_graph(net: caffe_pb2.NetParameter, phase: str, given: Mapping[str, Shape] | None = None) -> NetGraph:
    """The layers that `phase` ("TRAIN" or "TEST") includes, with shapes.

    `given` maps blobs of data layers to shapes, for data whose files are not at hand. Without it, an image is taken to
    have three channels and the crop's size, if need be that of the other phase. Raises CaffeError where a layer
    cannot be set up.
    """
    state = caffe_pb2.NetState(phase=phase, level=net.state.level, stage=net.state.stage)
    filtered = filter_net(net, state)
    walk = _Walk(shapes_only({}, phase), dict(given or {}), _crops(net))
    _require_tops(filtered, walk.given)
    places = [walk.place(layer) for layer in filtered.layer]
    return NetGraph(net.name, phase, places, walk.builder.shapes)


def _require_tops(net: caffe_pb2.NetParameter, given: Mapping[str, Shape]) -> None:
    tops = {top for layer in net.layer if not layer.bottom for top in layer.top}
    unknown = sorted(set(given) - tops)
    if unknown:
        raise GraphError(f"no input '{unknown[0]}' to give a shape to; the net's inputs: {', '.join(sorted(tops))}")


class _Walk:
    """Sets up layer after layer; `unknown` holds blobs without a shape and the error that tells the way on.

    `crops` has the height and width in pixels of blobs that a data layer of any phase crops.
    """

    def __init__(self, builder: GraphBuilder, given: Mapping[str, Shape], crops: Mapping[str, int]) -> None:
        self.builder = builder
        self.given = given
        self.crops = crops
        self.unknown: dict[str, ShapeError] = {}

    def place(self, parameter: caffe_pb2.LayerParameter) -> Place:
        kind = layer_class(LayerSpec(parameter, "TEST"))
        unknown = [bottom for bottom in parameter.bottom if bottom in self.unknown]
        if unknown:
            if not (kind.is_loss or kind.measures):
                raise self.unknown[unknown[0]]
            return Place(parameter, None, [], [], f"the shape of '{unknown[0]}' is not known")
        if any(top in self.given for top in parameter.top) and not parameter.bottom:
            return self._of_absent_data(parameter, "shape as given")
        if parameter.bottom or kind.is_input:
            return self._as_it_is(parameter)
        try:
            return self._as_it_is(parameter)
        except (CaffeError, OSError) as error:
            return self._of_absent_data(parameter, str(error))

    def _as_it_is(self, parameter: caffe_pb2.LayerParameter) -> Place:
        step = self.builder.add(parameter)
        close = getattr(step.layer, "close", None)
        if close is not None:
            close()
        return Place(parameter, step, step.bottom_shapes, step.top_shapes)

    def _of_absent_data(self, parameter: caffe_pb2.LayerParameter, note: str) -> Place:
        """A data layer whose files are not there: the shapes that its fields promise."""
        shapes = {
            top: self.given.get(top, _promised(parameter, number, self.crops.get(top, 0)))
            for number, top in enumerate(parameter.top)
        }
        known = {top: shape for top, shape in shapes.items() if shape is not None}
        self.builder.shapes.update(known)
        self.unknown |= {top: _unknown_shape(parameter, top) for top in shapes if top not in known}
        return Place(parameter, None, [], list(known.values()) if len(known) == len(shapes) else [], note)


def _unknown_shape(parameter: caffe_pb2.LayerParameter, top: str) -> ShapeError:
    return ShapeError(
        f"layer '{parameter.name}' ({parameter.type}): its data are not here and no crop_size tells the shape of "
        f"'{top}'; give it, as in --input-shape {top}=1,3,224,224"
    )


def _crops(net: caffe_pb2.NetParameter) -> dict[str, int]:
    """The crop's size in pixels of each image that a data layer of any phase crops, by blob."""
    layers = (layer for layer in net.layer if layer.top and not layer.bottom)
    return {layer.top[0]: crop for layer in layers if (crop := _crop(layer))}


def _crop(parameter: caffe_pb2.LayerParameter) -> int:
    return parameter.transform_param.crop_size or _first_set(parameter, "crop_size", "new_height")


def _promised(parameter: caffe_pb2.LayerParameter, position: int, crop_elsewhere: int = 0) -> Shape | None:
    """(batch, channels, crop, crop) for an image, (batch,) for the label beside it; None where nothing tells.

    `crop_elsewhere` is the crop of the other phase, which a layer without a crop of its own must match.
    """
    batch = _first_set(parameter, "batch_size") or 1
    if position:
        return (batch,)
    crop = _crop(parameter) or crop_elsewhere
    is_grey = parameter.HasField("image_data_param") and not parameter.image_data_param.is_color
    return (batch, 1 if is_grey else COLOUR, crop, crop) if crop else None


def _first_set(parameter: caffe_pb2.LayerParameter, *fields: str) -> int:
    """The first of these fields that one of the layer's messages sets; 0 without any."""
    messages = [value for descriptor, value in parameter.ListFields() if descriptor.name.endswith("_param")]
    found = (getattr(message, field, 0) for field in fields for message in messages)
    return next((int(value) for value in found if value), 0)

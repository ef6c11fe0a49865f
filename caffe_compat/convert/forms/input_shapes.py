"""Finds the shapes of a net's inputs: those in the file, or those that fit its weights.

Caffe saves no shapes of data layers' tops, and the SRN fork saves none of `input:` fields. The first layer's weights
determine the channels. The size is the first usual one for which all later weights and Reshapes fit.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from caffe_compat.convert.model import Layer, Model, Shape
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import CaffeError, GraphError, ShapeError
from caffe_compat.graph.builder import shapes_only, single_layer
from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.registry import layer_class

#: Side lengths, in pixels, of the square images on which public nets are trained.
USUAL_SIZES = (224, 227, 256, 299, 320, 384, 448, 512, 513, 640, 300, 321, 112, 96)
#: Sizes of small nets. Layers round sizes, so several may fit: multiples of large powers of two come first.
SMALL_SIZES = sorted(range(1, 131), key=lambda size: (-(size & -size), size))
#: Data layers whose prototxt contains the shapes of their tops.
SELF_DESCRIBING = ("DummyData", "MemoryData")
#: Stands for an axis of an image that the weights do not determine.
SIZE = None


def find_input_shapes(
    deployed: Model, trained: Model, inputs: Sequence[str], given: Mapping[str, Shape], report: ConversionReport
) -> dict[str, Shape]:
    """Returns a shape for every input of the deployed layers.

    GraphError for `given` shapes of unknown inputs. ShapeError if no size fits, or the weights do not determine
    the channels.
    """
    unknown = sorted(set(given) - set(inputs))
    if unknown:
        raise GraphError(
            f"{deployed.path}: no input '{unknown[0]}' to give a shape to; the net's inputs: {', '.join(inputs)}"
        )
    shapes = _stated_shapes(trained.net.layer) | dict(given)
    missing = [name for name in inputs if name not in shapes]
    if given and not missing:
        _require_given_fit(deployed, {name: shapes[name] for name in inputs})
    if missing:
        shapes |= _fitting_shapes(deployed, trained, {name: shapes[name] for name in inputs if name in shapes}, missing)
        report.notes += [
            f"input '{name}': {'x'.join(map(str, shapes[name]))}, the first usual size that fits all weights "
            "(the file gives none; --input-shape sets another)"
            for name in missing
        ]
    return shapes


def _require_given_fit(deployed: Model, shapes: Mapping[str, Shape]) -> None:
    """Raises ShapeError if the weights contradict the shapes; stops at layers that cannot be created here (Python)."""
    try:
        require_fit(deployed, shapes)
    except (ShapeError, RuntimeError) as error:
        said = ", ".join(f"{name}={','.join(map(str, shape))}" for name, shape in shapes.items())
        raise ShapeError(f"{deployed.path}: the net does not take {said} (first problem: {error})") from error
    except CaffeError:
        return


def _stated_shapes(layers: Sequence[Layer]) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for layer in layers:
        if layer.type in SELF_DESCRIBING or (layer.type == "Input" and layer.input_param.shape):
            shapes |= dict(zip(layer.top, single_layer(layer, ()).top_shapes(), strict=True))
    return shapes


def _fitting_shapes(
    deployed: Model, trained: Model, known: Mapping[str, Shape], missing: Sequence[str]
) -> dict[str, Shape]:
    items = {name: first_item(deployed, name) for name in missing}
    failure: Exception | None = None
    for size in _sizes(trained.net.layer):
        shapes = {name: (1, *(size if axis is SIZE else axis for axis in item)) for name, item in items.items()}
        try:
            require_fit(deployed, {**known, **shapes})
        except (CaffeError, RuntimeError) as error:
            failure = failure or error
        else:
            return shapes
    raise ShapeError(
        f"{deployed.path}: no usual square size of {', '.join(missing)} fits all weights (first problem: {failure}); "
        f"give it, as in --input-shape {missing[0]}=1,3,224,224"
    )


def _sizes(layers: Sequence[Layer]) -> Iterator[int]:
    """Yields sizes to try: the data layers' crop sizes, then the usual ones, then small ones."""
    crops = [layer.transform_param.crop_size for layer in layers if layer.transform_param.crop_size]
    yield from dict.fromkeys([*crops, *USUAL_SIZES, *SMALL_SIZES])


def require_fit(model: Model, inputs: Mapping[str, Shape]) -> None:
    """Computes all shapes of the net from the inputs; ShapeError if weights differ in size, or a layer's own error."""
    builder = shapes_only(inputs)
    for parameter in model.net.layer:
        layer = builder.add(parameter).layer
        found = model.shapes(parameter.name)
        expected = [tuple(blob.shape) for blob in layer.blobs]
        if found and [*map(prod, found)] != [*map(prod, expected)]:
            raise ShapeError(f"{layer.spec}: expected weights {expected}, the file holds {found}")


def first_item(model: Model, blob: str) -> tuple[int | None, ...]:
    """Returns the shape of one item of an input: (channels, SIZE, SIZE) or (values,), by the first weights behind it.

    ShapeError if no weights behind the input determine the shape.
    """
    followed = {blob}
    for layer in model.net.layer:
        if not followed.intersection(layer.bottom):
            continue
        if layer.name in model.blobs:
            item = layer_class(LayerSpec(layer)).item_for(layer, model.blobs[layer.name][0].shape)
            if item is None:
                break
            return item
        followed.update(layer.top)
    raise ShapeError(
        f"{model.path}: expected weights behind input '{blob}' that tell its channels, found none; "
        f"give its shape, as in --input-shape {blob}=1,3,224,224"
    )

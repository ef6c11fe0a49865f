"""The shapes of a net's inputs: as the file says, or as its weights allow.

Caffe saves no shapes for what data layers bring, nor, in the SRN fork, for `input:` fields. The first layer's weights
tell the channels; the size is the first of the usual ones for which every later weight and Reshape fits.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from caffe_compat.convert.model import Layer, Model, Shape
from caffe_compat.convert.report import Report
from caffe_compat.errors import CaffeError, GraphError, ShapeError
from caffe_compat.graph.builder import shapes_only, single_layer
from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.registry import layer_class

#: Sides of square images that public nets are trained on.
USUAL_SIZES = (224, 227, 256, 299, 320, 384, 448, 512, 513, 640, 300, 321, 112, 96)
#: Small nets may have any; as sizes are rounded on the way several may fit, of which the roundest number is likeliest.
SMALL_SIZES = sorted(range(1, 131), key=lambda size: (-(size & -size), size))
#: Data layers that say their tops' shapes in the prototxt.
SELF_DESCRIBING = ("DummyData", "MemoryData")
#: An axis of an image that the weights leave open.
SIZE = None


def find_input_shapes(
    deployed: Model, trained: Model, inputs: Sequence[str], given: Mapping[str, Shape], report: Report
) -> dict[str, Shape]:
    """A shape for every input of the deployed layers.

    GraphError for shapes given for other blobs, ShapeError where nothing fits or the weights say too little.
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
    """Refuses what the weights contradict; layers that cannot be made here (Python) end the walk."""
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
    """The crop that the data layers make, then the usual sizes, then small ones."""
    crops = [layer.transform_param.crop_size for layer in layers if layer.transform_param.crop_size]
    yield from dict.fromkeys([*crops, *USUAL_SIZES, *SMALL_SIZES])


def require_fit(model: Model, inputs: Mapping[str, Shape]) -> None:
    """Carries shapes through the net; an error where a layer does not take them or its weights have other sizes."""
    builder = shapes_only(inputs)
    for parameter in model.net.layer:
        layer = builder.add(parameter).layer
        found = model.shapes(parameter.name)
        expected = [tuple(blob.shape) for blob in layer.blobs]
        if found and [*map(prod, found)] != [*map(prod, expected)]:
            raise ShapeError(f"{layer.spec}: expected weights {expected}, the file holds {found}")


def first_item(model: Model, blob: str) -> tuple[int | None, ...]:
    """An item's axes as the first weights behind an input read it: (channels, SIZE, SIZE), or (values,)."""
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

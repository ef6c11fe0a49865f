"""Stores in a net what a user says of its images, and finds the inputs that take images."""

from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.forms.input_shapes import first_item
from caffe_compat.convert.model import Model, Shape, assemble
from caffe_compat.convert.report import ConversionReport
from caffe_compat.convert.stored_preprocessing import is_image, stated, store
from caffe_compat.data.preprocessing import CHANNELS, GRAY, ImageFlags, Preprocessing
from caffe_compat.errors import CaffeError, FieldError, MissingFeatureError, ShapeError


def store_for_images(deployed: Model, preprocessing: Preprocessing) -> None:
    """Writes into the inputs of a deploy net what they expect of an image.

    MissingFeatureError if no input takes images; FieldError if one takes images with other channels, or for what is no
    Preprocessing.
    """
    if not isinstance(preprocessing, Preprocessing):
        raise FieldError(
            'preprocessing: expected caffe_compat.Preprocessing("bgr", (104, 117, 123)), found '
            f"{type(preprocessing).__name__}"
        )
    for blob, planes in _require_images(deployed).items():
        _require_planes(deployed, blob, planes, preprocessing)
        _require_stated(deployed, stated(deployed.net, blob, deployed.path, planes), preprocessing)
        store(deployed.net, blob, preprocessing)


def image_blobs(model: Model) -> dict[str, int]:
    """Returns the blobs that bring images into the net, with their numbers of channels."""
    names = [*model.net.input, *(layer.top[0] for layer in model.net.layer if layer.top and not layer.bottom)]
    shapes = {name: _shape(model, name) for name in dict.fromkeys(names)}
    return {name: shape[1] for name, shape in shapes.items() if is_image(shape)}


def _require_images(model: Model) -> dict[str, int]:
    found = image_blobs(model)
    if not found:
        raise MissingFeatureError(
            f"{model.path}: expected an input for images (items, 1 or 3 channels, height, width), to which mean, "
            "channels, scale or size belong, found none; leave these away"
        )
    return found


def _shape(model: Model, blob: str) -> Shape:
    """Returns the blob's shape, as stated or as the weights behind it say (sizes are 0 then); () if neither does."""
    for layer in model.net.layer:
        if layer.type == "Input" and blob in layer.top and layer.input_param.shape:
            shapes = layer.input_param.shape
            return tuple(shapes[list(layer.top).index(blob) if len(shapes) > 1 else 0].dim)
    try:
        return (0, *(size or 0 for size in first_item(model, blob)))
    except ShapeError:
        return ()


def _require_planes(model: Model, blob: str, planes: int, preprocessing: Preprocessing) -> None:
    if CHANNELS[preprocessing.channels] != planes:
        raise FieldError(
            f"{model.path}: input '{blob}' has {planes} channels, {preprocessing.channels} images have "
            f"{CHANNELS[preprocessing.channels]}; give --channels {GRAY if planes == 1 else 'bgr or rgb'}"
        )


def _require_stated(model: Model, before: Preprocessing | None, meant: Preprocessing) -> None:
    """Raises MissingFeatureError if weights that were converted for certain images would get other ones."""
    if before is None or not model.needs_stated_images or _numbers(before) == _numbers(meant):
        return
    raise MissingFeatureError(
        f"{model.path}: its weights are converted for {before}; {meant} would give other results: leave --channels and "
        "--scale away (preprocessing, of load), and give another mean to convert --mean, which puts it into the weights"
    )


def _numbers(preprocessing: Preprocessing) -> tuple[object, ...]:
    return preprocessing.channels, preprocessing.channel_means(), preprocessing.scale


def with_image_flags(model: Model, flags: ImageFlags, report: ConversionReport) -> Model:
    """Returns the model with what the user says of images; the report notes where the net said otherwise."""
    made = model.with_layers(model.net.layer, model.blobs)
    for blob, planes in _require_images(model).items():
        before = stated(made.net, blob, model.path, planes)
        meant = flags.over(before, planes)
        if meant is not None:
            _require_planes(model, blob, planes, meant)
            _require_stated(model, before, meant)
            store(made.net, blob, meant)
        if line := flags.contradiction(before, "the net"):
            report.notes.append(line)
        if flags.size is not None:
            _set_size(made, blob, planes, flags.size)
    if flags.size is not None:
        _require_fit(model, made, flags.size)
    return made


def _require_fit(model: Model, made: Model, size: tuple[int, int]) -> None:
    """Raises ShapeError if the weights fit the model's own inputs, and not those of another size."""
    misfit = _misfit(made)
    if misfit is not None and _misfit(model) is None:
        reason = str(misfit).removeprefix(f"{model.path}: ").partition(";")[0]
        raise ShapeError(
            f"{model.path}: --size {size[0]},{size[1]} does not suit the weights, which suit the net's own size: "
            f"{reason}; leave --size away"
        )


def _misfit(model: Model) -> CaffeError | None:
    """Returns what keeps the net from running with its weights; None if it runs."""
    try:
        assemble(deploy_form(model))
    except CaffeError as error:
        return error
    return None


def _set_size(model: Model, blob: str, planes: int, size: tuple[int, int]) -> None:
    """Sets height and width of an input, in place; of data layers the crop, which is square."""
    height, width = size
    bringing = [layer for layer in model.net.layer if blob in layer.top and not layer.bottom]
    if not bringing:  # a name without a shape, as the SRN fork saves inputs
        model.net.input.remove(blob)
        bringing = [model.net.layer.add(name=blob, type="Input", top=[blob])]
        bringing[0].input_param.shape.add(dim=[1, planes, height, width])
    for layer in bringing:
        if layer.type == "Input":
            shapes = layer.input_param.shape
            shapes[list(layer.top).index(blob) if len(shapes) > 1 else 0].dim[2:] = size
        elif height != width:
            raise FieldError(
                f"{model.path}: layer '{layer.name}' ({layer.type}) crops to a square, --size says {height},{width}; "
                f"give a deploy net with --prototxt, or --input-shape {blob}=1,{planes},{height},{width} with --to onnx"
            )
        else:
            layer.transform_param.crop_size = height

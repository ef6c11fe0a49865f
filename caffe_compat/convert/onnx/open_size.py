"""Layers on images whose height and width stay open in the ONNX model (`--dynamic-size`).

Most exporters write nodes that fit any size. The functions here stand in for those whose nodes hold sizes: they compute
the sizes within the graph, from the `Shape` of a blob. Each takes the step twice, as it is and on larger images: an
axis whose size differs between the two is open.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from caffe_compat.convert.model import Assembly, Shape
from caffe_compat.convert.onnx.convolution import padded
from caffe_compat.convert.onnx.elementwise import affine
from caffe_compat.convert.onnx.graph import Graph
from caffe_compat.convert.onnx.reduction import reduced
from caffe_compat.convert.onnx.shaping import LAST, cut
from caffe_compat.convert.onnx.table import EXPORTERS
from caffe_compat.errors import CaffeError, ShapeError
from caffe_compat.graph.builder import GraphBuilder, shapes_only
from caffe_compat.graph.wiring import Step
from caffe_compat.layers.vision.pooling import SMALLEST
from caffe_compat.layers.windows import LOWEST

#: How many times larger the images are on which the open axes show. A net that halves its images several times takes
#: multiples of its own size.
GROWTH = 4
Values = str | list[str]
#: (graph, step, the step on larger images, *bottoms) -> the value of the top, or a list with one value per top.
OpenExporter = Callable[..., Values]


class FixedSizeError(ShapeError):
    """A layer that has no nodes for images of any size."""

    def __init__(self, step: Step, why: str) -> None:
        super().__init__(f"{step.layer.spec}: {why}; export with fixed sizes (without --dynamic-size)")
        self.step = step


def larger_steps(net: Assembly, steps: Sequence[Step]) -> list[Step]:
    """The steps with the shapes that they have on larger images.

    FixedSizeError names the layer that fixes the size. ShapeError says that no input is an image.
    """
    images = [name for name, shape in net.inputs.items() if len(shape) == 4]
    if not images:
        raise ShapeError(
            f"{net.path}: expected an input (N, channels, height, width) whose size can stay open, got "
            f"{net.inputs}; export with fixed sizes (without --dynamic-size)"
        )
    builder = shapes_only({name: _grown(shape) if name in images else shape for name, shape in net.inputs.items()})
    return [_on_larger(builder, step) for step in steps]


def _grown(shape: Shape) -> Shape:
    return (*shape[:2], *(GROWTH * size for size in shape[2:]))


def _on_larger(builder: GraphBuilder, step: Step) -> Step:
    try:
        larger = builder.add(step.layer.spec.parameter)
    except (CaffeError, RuntimeError) as error:
        _refuse(step, f"it takes no image of {GROWTH} times the size ({error})")
    if [blob.shape for blob in larger.layer.blobs] != [blob.shape for blob in step.layer.blobs]:
        _refuse(step, "its weights are made for one size")
    return larger


def _refuse(step: Step, why: str) -> NoReturn:
    raise FixedSizeError(step, why)


def open_axes(shape: Shape, larger: Shape) -> list[int]:
    """The axes whose size follows the image."""
    return [axis for axis, (size, other) in enumerate(zip(shape, larger, strict=True)) if size != other]


def is_open(step: Step, larger: Step) -> bool:
    """Whether a bottom or a top of the layer has an open axis."""
    return (step.bottom_shapes, step.top_shapes) != (larger.bottom_shapes, larger.top_shapes)


def export_open(graph: Graph, step: Step, larger: Step, bottoms: Sequence[str]) -> Values:
    """The layer's nodes, for any size; FixedSizeError where the layer has none."""
    exporter = OPEN_SIZE.get(step.layer.spec.type)
    if exporter is None:
        _refuse(step, "what it gives is written for one size")
    return exporter(graph, step, larger, *bottoms)


def as_for_one_size(graph: Graph, step: Step, _larger: Step, *bottoms: str) -> Values:
    """Nodes that hold no size."""
    return EXPORTERS[step.layer.spec.type](graph, step, *bottoms)


def sliding(graph: Graph, step: Step, larger: Step, *bottoms: str) -> Values:
    """Convolution and Deconvolution of images with channels on axis 1."""
    layer: Any = step.layer
    if layer.channel_axis != 1:
        _refuse(step, f"its axis {layer.channel_axis} is laid out for one size")
    return as_for_one_size(graph, step, larger, *bottoms)


def pooling(graph: Graph, step: Step, _larger: Step, bottom: str) -> str:
    """Exports a Pooling with Caffe's number of windows.

    ONNX rounds down. With `stride - 1` more padding at the end, this equals rounding up.
    """
    layer: Any = step.layer
    if len(step.tops) > 1:
        _refuse(step, "its mask counts through an image of one size")
    if layer.is_global:
        return _global(graph, step, bottom)
    more = tuple(stride - 1 if layer.round_up else 0 for stride in layer.stride)
    top = POOLED[layer.method](graph, bottom, layer, more)
    for axis in range(2):
        # Caffe drops windows that start after image and padding (pooling_layer.cpp).
        if layer.round_up and any(layer.pad) and layer.pad[axis] + layer.stride[axis] > layer.kernel[axis]:
            top = _starting_within(graph, bottom, top, axis + 2, layer.pad[axis], layer.stride[axis])
    return top


def _global(graph: Graph, step: Step, bottom: str) -> str:
    kinds = {"MAX": "GlobalMaxPool", "AVE": "GlobalAveragePool"}
    layer: Any = step.layer
    if layer.method not in kinds:
        _refuse(step, f"ONNX has no global pooling by {layer.method}")
    return graph.op(kinds[layer.method], bottom)


def _starting_within(graph: Graph, bottom: str, top: str, axis: int, pad: int, stride: int) -> str:
    reach = graph.op("Add", _size(graph, bottom, axis), graph.ints(pad - 1))
    count = graph.op("Add", graph.op("Div", reach, graph.ints(stride)), graph.ints(1))
    return graph.op("Slice", top, graph.ints(0), count, graph.ints(axis))


def _size(graph: Graph, value: str, axis: int) -> str:
    """The size of one axis, as a vector of one number."""
    return graph.op("Shape", value, start=axis, end=axis + 1)


def _pads(layer: Any, more: Sequence[int]) -> list[int]:
    return [*layer.pad, *(pad + extra for pad, extra in zip(layer.pad, more, strict=True))]


def _maximum(graph: Graph, bottom: str, layer: Any, more: Sequence[int]) -> str:
    value, attributes = padded(graph, bottom, layer, _pads(layer, more), LOWEST)
    return graph.op("MaxPool", value, **attributes)


def _average(graph: Graph, bottom: str, layer: Any, more: Sequence[int]) -> str:
    """The mean over whole windows, over the part of each window that lies within image and padding."""
    value, attributes = padded(graph, bottom, layer, _pads(layer, more), 0.0)
    top = graph.op("AveragePool", value, count_include_pad=1, **attributes)
    if not any(more):
        return top
    sizes = graph.op("Add", graph.op("Shape", bottom, start=2, end=4), graph.ints(*(2 * pad for pad in layer.pad)))
    shape = graph.op("Concat", graph.ints(1, 1), sizes, axis=0)
    ones = graph.op("Expand", graph.number(1), shape)
    around = graph.op("Pad", ones, graph.ints(0, 0, 0, 0, 0, 0, *more), graph.number(0))
    window = {"kernel_shape": list(layer.kernel), "strides": list(layer.stride)}
    return graph.op("Div", top, graph.op("AveragePool", around, **window))


def _expected_stochastic(graph: Graph, bottom: str, layer: Any, more: Sequence[int]) -> str:
    """The sum of squares over the sum; the extents of the windows cancel out."""
    value, attributes = padded(graph, bottom, layer, _pads(layer, more), 0.0)
    squares = graph.op("AveragePool", graph.op("Mul", value, value), count_include_pad=1, **attributes)
    mean = graph.op("AveragePool", value, count_include_pad=1, **attributes)
    return graph.op("Div", squares, graph.op("Add", mean, graph.number(SMALLEST)))


POOLED: dict[str, Callable[[Graph, str, Any, Sequence[int]], str]] = {
    "MAX": _maximum,
    "AVE": _average,
    "STOCHASTIC": _expected_stochastic,
}


def reshape(graph: Graph, step: Step, larger: Step, bottom: str) -> str:
    """Exports Reshape and Flatten: copies open axes that the top keeps; another open axis is inferred (-1)."""
    before = list(zip(step.bottom_shapes[0], larger.bottom_shapes[0], strict=True))
    after = list(zip(step.top_shapes[0], larger.top_shapes[0], strict=True))
    sizes = []
    for axis, (size, other) in enumerate(after):
        if before[axis : axis + 1] == [(size, other)]:
            sizes.append(graph.ints(0))  # which copies
        elif size == other:
            sizes.append(graph.ints(size))
        elif (size, other) in before:
            sizes.append(_size(graph, bottom, before.index((size, other))))
        else:
            sizes.append(graph.ints(-1))
    return graph.op("Reshape", bottom, graph.op("Concat", *sizes, axis=0))


def reduction(graph: Graph, step: Step, _larger: Step, bottom: str) -> str:
    """coeff times the reduction of all axes from `axis` on, as one."""
    layer: Any = step.layer
    axis = layer.axis % len(step.bottom_shapes[0])
    operation = layer.spec.params("reduction_param").operation
    flat = graph.op("Reshape", bottom, graph.ints(*[0] * axis, -1))
    return affine(graph, reduced(graph, flat, axis, operation, layer.k), layer.coefficient, 0)


def along_a_fixed_axis(graph: Graph, step: Step, larger: Step, *bottoms: str) -> Values:
    """Slice and ArgMax, where the axis that they cut or search is none of the open ones."""
    layer: Any = step.layer
    shape = step.bottom_shapes[0]
    if layer.axis is None or layer.axis % len(shape) in open_axes(shape, larger.bottom_shapes[0]):
        _refuse(step, "it runs along an axis that follows the image")
    return as_for_one_size(graph, step, larger, *bottoms)


def with_given_operand(graph: Graph, step: Step, larger: Step, *bottoms: str) -> Values:
    """Scale and Bias: an operand of fixed shape, or one that has the bottom's own axes up to the last."""
    layer: Any = step.layer
    if len(bottoms) > 1 and open_axes(step.bottom_shapes[1], larger.bottom_shapes[1]):
        axes, own = len(step.bottom_shapes[0]), len(step.bottom_shapes[1])
        if layer.axis % axes + own != axes:
            _refuse(step, "its second bottom follows the image and is not laid over the last axes")
    return as_for_one_size(graph, step, larger, *bottoms)


def shuffle_channel(graph: Graph, step: Step, _larger: Step, bottom: str) -> str:
    layer: Any = step.layer
    channels = step.bottom_shapes[0][1]
    grouped = graph.op("Reshape", bottom, graph.ints(0, layer.group, channels // layer.group, -1))
    mixed = graph.op("Transpose", grouped, perm=[0, 2, 1, 3])
    return graph.op("Reshape", mixed, graph.op("Shape", bottom))


def crop(graph: Graph, step: Step, larger: Step, bottom: str, reference: str) -> str:
    """Cuts each axis to the size of the reference."""
    layer: Any = step.layer
    shape = step.bottom_shapes[0]
    first = layer.axis % len(shape)
    axes = len(shape) - first
    offsets = layer.offsets if len(layer.offsets) == axes else (layer.offsets or [0]) * axes
    for axis, offset in enumerate(offsets, start=first):
        sizes = [(one.bottom_shapes[0][axis], one.top_shapes[0][axis]) for one in (step, larger)]
        if any(before != after for before, after in sizes):
            end = graph.op("Add", _size(graph, reference, axis), graph.ints(offset))
            bottom = graph.op("Slice", bottom, graph.ints(offset), end, graph.ints(axis))
    return bottom


def interpolate(graph: Graph, step: Step, _larger: Step, bottom: str, like: str = "") -> str:
    """Interp: the size follows from the cropped image, or is that of the second bottom."""
    layer: Any = step.layer
    before, after = layer.crop
    for axis in (2, 3):
        if before or after:
            bottom = cut(graph, bottom, axis, before, -after if after else LAST)
    target = graph.op("Shape", like, start=2, end=4) if like else _resized(graph, layer, bottom)
    mode = {"mode": "linear", "coordinate_transformation_mode": "align_corners", "axes": [2, 3]}
    return graph.op("Resize", bottom, "", "", target, **mode)


def _resized(graph: Graph, layer: Any, bottom: str) -> str:
    """((size - 1) // shrink * zoom) + 1 for both axes, or the size that the layer states."""
    if (layer.shrink is None) == (layer.zoom is None) and layer.size is not None:
        return graph.ints(*layer.size)
    steps = graph.op("Sub", graph.op("Shape", bottom, start=2, end=4), graph.ints(1))
    shrunk = graph.op("Div", steps, graph.ints(layer.shrink or 1))
    return graph.op("Add", graph.op("Mul", shrunk, graph.ints(layer.zoom or 1)), graph.ints(1))


def upsample(graph: Graph, step: Step, _larger: Step, bottom: str, mask: str = "") -> str:
    """Every pixel repeated; places that a mask names are counted for one size."""
    layer: Any = step.layer
    if mask:
        _refuse(step, "its mask counts through an image of one size")
    scales = graph.floats(1.0, 1.0, *layer.scale)
    mode = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return graph.op("Resize", bottom, "", scales, **mode)


#: Types whose usual nodes hold no size of an open axis.
WITHOUT_SIZES = (
    "AbsVal", "Axpy", "BN", "BNLL", "BatchNorm", "BatchReindex", "Clip", "Concat", "Dropout", "ELU", "Eltwise",
    "Exp", "Filter", "Gather", "LRN", "Log", "MVN", "MaskPooling", "Normalize", "NormalizeBBox", "PReLU", "Permute",
    "Power", "ROIPooling", "ReLU", "ReLU6", "Scatter", "Sigmoid", "Softmax", "Split", "Swish", "TanH", "Threshold",
    "Tile",
)  # fmt: skip
OPEN_SIZE: dict[str, OpenExporter] = {
    **dict[str, OpenExporter].fromkeys(WITHOUT_SIZES, as_for_one_size),
    "ArgMax": along_a_fixed_axis,
    "Bias": with_given_operand,
    "Convolution": sliding,
    "ConvolutionDepthwise": sliding,
    "Crop": crop,
    "Deconvolution": sliding,
    "DepthwiseConvolution": sliding,
    "Flatten": reshape,
    "Interp": interpolate,
    "Pooling": pooling,
    "Reduction": reduction,
    "Reshape": reshape,
    "Scale": with_given_operand,
    "ShuffleChannel": shuffle_channel,
    "Slice": along_a_fixed_axis,
    "Upsample": upsample,
}

"""Random nets that Caffe accepts: 3 to 8 layers of any type between Input layers and losses."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from google.protobuf import text_format

from caffe_compat.layers.base import LayerSpec, Shape
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import caffe_pb2

GAUSSIAN = 'filler { type: "gaussian" std: 0.6 mean: 0.4 }'
BIAS = 'bias_filler { type: "uniform" min: -0.5 max: 0.5 }'


#: Their tops are other shapes or names of their bottoms' memory.
VIEWS = ("Split", "Flatten", "Reshape")


@dataclass
class Draft:
    """A net in the making: every blob's shape, and the blobs that are good for more layers."""

    random: Random
    phase: str
    net: caffe_pb2.NetParameter = field(default_factory=caffe_pb2.NetParameter)
    shapes: dict[str, Shape] = field(default_factory=dict)
    readable: list[str] = field(default_factory=list)
    last: str = ""

    def add(self, kind: str, bottoms: list[str], body: str = "", tops: int = 1, in_place: bool = False) -> list[str]:
        """One more layer; its tops' shapes are what the layer says before it runs."""
        layer = self.net.layer.add(name=f"{kind.lower()}{len(self.net.layer)}", type=kind, bottom=bottoms)
        layer.top.extend(bottoms[:1] if in_place else [f"{layer.name}_{index}" for index in range(tops)])
        text_format.Merge(body, layer)
        parameter = caffe_pb2.LayerParameter.FromString(layer.SerializeToString())
        made = create_layer(LayerSpec(parameter, self.phase))
        shapes = [self.shapes[bottom] for bottom in bottoms]
        made.setup(*shapes)
        self.shapes |= dict(zip(layer.top, made.top_shapes(*shapes), strict=False))
        return list(layer.top)

    def grow(self, kind: str, bottoms: list[str], body: str = "", tops: int = 1, in_place: bool = False) -> None:
        """A layer whose tops are good for more."""
        made = self.add(kind, bottoms, body, tops, in_place)
        self.readable += [top for top in made if top not in self.readable]
        self.last = made[-1]

    def feed(self, *shape: int, name: str = "side") -> str:
        """One more input."""
        top = f"{name}{len(self.net.layer)}"
        dims = " ".join(f"dim: {size}" for size in shape)
        layer = self.net.layer.add(name=top, type="Input", top=[top])
        text_format.Merge(f"input_param {{ shape {{ {dims} }} }}", layer)
        self.shapes[top] = tuple(shape)
        return top

    def may_overwrite(self, blob: str) -> bool:
        """Whether no layer but an in-place one may need the blob's values later, in Caffe, where views share memory."""
        makers = {layer.type for layer in self.net.layer if blob in layer.top}
        return not any(blob in layer.bottom for layer in self.net.layer) and makers.isdisjoint(VIEWS)

    def flag(self) -> str:
        return self.random.choice(("true", "false"))


# -- layers of one bottom and one top: which shapes they take, and the rest of their text


@dataclass(frozen=True)
class Kind:
    """`body` gives the parameters for a bottom; `axes` is how many axes that may have."""

    axes: range
    body: Callable[[Draft, Shape], str] = lambda _draft, _shape: ""
    in_place: bool = False


ANY, IMAGES, CHANNELS = range(2, 6), range(4, 5), range(2, 5)


def _fixed(*bodies: str) -> Callable[[Draft, Shape], str]:
    return lambda draft, _shape: draft.random.choice(bodies)


def _axis(draft: Draft, shape: Shape, first: int = 0) -> int:
    """An axis from `first` on, counted from either end."""
    axis = draft.random.randrange(first, len(shape))
    return axis - draft.random.choice((0, len(shape)))


def _window(draft: Draft, shape: Shape, pads: bool = True) -> str:
    """Kernel, stride and pad of two axes, whose last window starts within the image."""
    random = draft.random
    kernels = [random.randint(1, min(4, size)) for size in shape[2:]]
    strides = [random.randint(1, kernel) for kernel in kernels]
    pads_of = [random.randint(0, kernel - 1) if pads else 0 for kernel in kernels]
    if random.random() < 0.5:
        smallest = min(kernels)
        return f"kernel_size: {smallest} stride: {random.randint(1, smallest)} pad: {min(pads_of)}"
    names = ("kernel_h", "kernel_w", "stride_h", "stride_w", "pad_h", "pad_w")
    return " ".join(f"{name}: {value}" for name, value in zip(names, kernels + strides + pads_of, strict=True))


def _convolution(draft: Draft, shape: Shape) -> str:
    groups = draft.random.choice([group for group in (1, 2, 3) if shape[1] % group == 0])
    outputs = groups * draft.random.randint(1, 3)
    body = f"num_output: {outputs} group: {groups} bias_term: {draft.flag()} {_window(draft, shape)}"
    return f'convolution_param {{ {body} weight_filler {{ type: "xavier" }} {BIAS} }}'


def _dilated(draft: Draft, _shape: Shape) -> str:
    dilation = draft.random.randint(2, 3)
    body = f"num_output: 2 kernel_size: 2 dilation: {dilation} pad: {dilation} {BIAS}"
    return f'convolution_param {{ {body} weight_filler {{ type: "msra" variance_norm: AVERAGE }} }}'


def _pooling(draft: Draft, shape: Shape) -> str:
    method = draft.random.choice(("MAX", "AVE"))
    window = "global_pooling: true" if draft.random.random() < 0.2 else _window(draft, shape)
    rounding = draft.random.choice(("", "round_mode: FLOOR"))
    return f"pooling_param {{ pool: {method} {window} {rounding} }}"


def _im2col(draft: Draft, shape: Shape) -> str:
    return f"convolution_param {{ {_window(draft, shape)} }}"


def _inner_product(draft: Draft, shape: Shape) -> str:
    body = f"num_output: {draft.random.randint(1, 6)} axis: {_axis(draft, shape, 1)} transpose: {draft.flag()}"
    return f'inner_product_param {{ {body} bias_term: {draft.flag()} weight_filler {{ type: "xavier" }} {BIAS} }}'


def _operand(message: str, rest: str) -> Callable[[Draft, Shape], str]:
    def body(draft: Draft, shape: Shape) -> str:
        axis = draft.random.randrange(len(shape))
        axes = draft.random.randint(-1, len(shape) - axis)
        return f"{message} {{ axis: {axis} num_axes: {axes} {rest} }}"

    return body


def _reshape(draft: Draft, shape: Shape) -> str:
    axis = draft.random.randrange(len(shape) - 1)
    choices = (
        "shape { dim: 0 dim: -1 }",
        f"shape {{ dim: -1 }} axis: {axis} num_axes: 2",
        f"shape {{ dim: {shape[axis]} dim: 1 }} axis: {axis} num_axes: 1",
        "shape { dim: 1 } axis: 1 num_axes: 0",
    )
    return f"reshape_param {{ {draft.random.choice(choices)} }}"


def _flatten(draft: Draft, shape: Shape) -> str:
    first = draft.random.randrange(len(shape))
    last = draft.random.randrange(first, len(shape))
    return f"flatten_param {{ axis: {first} end_axis: {last - draft.random.choice((0, len(shape)))} }}"


def _reduction(draft: Draft, shape: Shape) -> str:
    operation = draft.random.choice(("SUM", "ASUM", "SUMSQ", "MEAN"))
    return f"reduction_param {{ operation: {operation} axis: {_axis(draft, shape, 1)} coeff: 0.05 }}"


def _permute(draft: Draft, shape: Shape) -> str:
    order = list(range(1, len(shape)))
    draft.random.shuffle(order)
    return "permute_param { order: 0 " + " ".join(f"order: {axis}" for axis in order) + " }"


def _shuffle(draft: Draft, shape: Shape) -> str:
    groups = [group for group in range(1, shape[1] + 1) if shape[1] % group == 0]
    return f"shuffle_channel_param {{ group: {draft.random.choice(groups)} }}"


def _batch_norm(draft: Draft, _shape: Shape) -> str:
    given = draft.random.choice(("", "use_global_stats: true", "use_global_stats: false"))
    return f"batch_norm_param {{ eps: 0.01 moving_average_fraction: 0.9 {given} }}"


def _bn(draft: Draft, _shape: Shape) -> str:
    return f"bn_param {{ slope_{GAUSSIAN} {BIAS} momentum: 0.8 frozen: {draft.flag()} eps: 0.01 }}"


def _mvn(draft: Draft, _shape: Shape) -> str:
    return f"mvn_param {{ across_channels: {draft.flag()} normalize_variance: {draft.flag()} eps: 1e-10 }}"


def _normalize(draft: Draft, _shape: Shape) -> str:
    body = f"across_spatial: {draft.flag()} channel_shared: {draft.flag()} scale_{GAUSSIAN}"
    return f"norm_param {{ {body} eps: 0.01 }}"


def _lrn(draft: Draft, _shape: Shape) -> str:
    region = draft.random.choice(("ACROSS_CHANNELS k: 1.5", "WITHIN_CHANNEL"))
    return f"lrn_param {{ local_size: {draft.random.choice((1, 3, 5))} alpha: 0.8 beta: 0.6 norm_region: {region} }}"


def _spp(_draft: Draft, shape: Shape) -> str:
    # A line of one pixel cannot be halved.
    return f"spp_param {{ pool: AVE pyramid_height: {1 + (min(shape[2:]) > 1)} }}"


def _interp(draft: Draft, _shape: Shape) -> str:
    sizes = ("height: 5 width: 4", "zoom_factor: 2", "shrink_factor: 2", "zoom_factor: 3 shrink_factor: 2")
    return f"interp_param {{ {draft.random.choice(sizes)} }}"


#: (Caffe cannot run in place what reads its bottom in backward.)
KINDS: dict[str, Kind] = {
    "AbsVal": Kind(ANY),
    "BNLL": Kind(ANY),
    "BN": Kind(IMAGES, _bn),
    "BatchNorm": Kind(CHANNELS, _batch_norm, in_place=True),
    "Bias": Kind(ANY, _operand("bias_param", GAUSSIAN), in_place=True),
    "Clip": Kind(ANY, _fixed("clip_param { min: -0.7 max: 1.1 }")),
    "Convolution": Kind(IMAGES, _convolution),
    "Deconvolution": Kind(IMAGES, _convolution),
    "Dropout": Kind(ANY, _fixed("", "dropout_param { dropout_ratio: 0.3 }"), in_place=True),
    "ELU": Kind(ANY, _fixed("elu_param { alpha: 0.6 }"), in_place=True),
    "Exp": Kind(ANY, _fixed("exp_param { base: 2 scale: 0.3 shift: -0.2 }", "exp_param { scale: -0.2 }")),
    "Flatten": Kind(ANY, _flatten),
    "Im2col": Kind(IMAGES, _im2col),
    "InnerProduct": Kind(ANY, _inner_product),
    "Interp": Kind(IMAGES, _interp),
    "LRN": Kind(IMAGES, _lrn),
    "MVN": Kind(IMAGES, _mvn),
    "Normalize": Kind(IMAGES, _normalize),
    "PReLU": Kind(CHANNELS, _fixed("", "prelu_param { channel_shared: true }"), in_place=True),
    "Permute": Kind(ANY, _permute),
    "Pooling": Kind(IMAGES, _pooling),
    "Power": Kind(ANY, _fixed("power_param { power: 2 shift: 0.3 }", "power_param { scale: -0.7 shift: 0.4 }")),
    "ReLU": Kind(ANY, _fixed("", "relu_param { negative_slope: 0.2 }"), in_place=True),
    "ReLU6": Kind(ANY),
    "Reduction": Kind(ANY, _reduction),
    "Reshape": Kind(ANY, _reshape),
    "SPP": Kind(IMAGES, _spp),
    "Scale": Kind(ANY, _operand("scale_param", f"bias_term: true {GAUSSIAN} {BIAS}"), in_place=True),
    "ShuffleChannel": Kind(ANY, _shuffle),
    "Sigmoid": Kind(ANY, in_place=True),
    "Softmax": Kind(ANY, lambda draft, shape: f"softmax_param {{ axis: {_axis(draft, shape)} }}"),
    "Swish": Kind(ANY, _fixed("swish_param { beta: 1.3 }")),
    "TanH": Kind(ANY, in_place=True),
    "Tile": Kind(ANY, lambda draft, shape: f"tile_param {{ axis: {_axis(draft, shape)} tiles: 2 }}"),
}


def _grow_one(draft: Draft, bottom: str) -> None:
    shape = draft.shapes[bottom]
    kinds = [name for name, each in KINDS.items() if len(shape) in each.axes]
    if draft.random.random() < 0.4:  # else most nets soon have no image left
        kinds = [name for name in kinds if KINDS[name].axes == IMAGES] or kinds
    kind = draft.random.choice(kinds)
    in_place = KINDS[kind].in_place and draft.may_overwrite(bottom) and draft.random.random() < 0.6
    draft.grow(kind, [bottom], KINDS[kind].body(draft, shape), in_place=in_place)


def _grow_dilated(draft: Draft, bottom: str) -> None:
    if len(draft.shapes[bottom]) == 4:
        draft.grow("Convolution", [bottom], _dilated(draft, draft.shapes[bottom]))


# -- layers of several bottoms or tops


def _twins(draft: Draft, bottom: str) -> list[str]:
    """Up to three blobs of one shape, made from or beside the bottom."""
    shape = draft.shapes[bottom]
    same = [blob for blob in draft.readable if draft.shapes[blob] == shape and blob != bottom]
    twin = draft.random.choice([*same, draft.add("Power", [bottom], "power_param { scale: 0.5 }")[0]])
    return [bottom, twin, draft.feed(*shape)][: draft.random.randint(2, 3)]


def _grow_eltwise(draft: Draft, bottom: str) -> None:
    bottoms = _twins(draft, bottom)
    coefficients = "operation: SUM " + " ".join(f"coeff: {0.5 + index}" for index in range(len(bottoms)))
    body = draft.random.choice(("operation: SUM", "operation: PROD", "operation: MAX", coefficients))
    draft.grow("Eltwise", bottoms, f"eltwise_param {{ {body} }}")


def _grow_concat(draft: Draft, bottom: str) -> None:
    axis = _axis(draft, draft.shapes[bottom], 1)
    draft.grow("Concat", _twins(draft, bottom), f"concat_param {{ axis: {axis} }}")


def _grow_slice(draft: Draft, bottom: str) -> None:
    axes = [axis for axis, size in enumerate(draft.shapes[bottom]) if axis and size > 1]
    if axes:
        axis = draft.random.choice(axes)
        point = draft.random.randint(1, draft.shapes[bottom][axis] - 1)
        draft.grow("Slice", [bottom], f"slice_param {{ axis: {axis} slice_point: {point} }}", tops=2)


def _grow_split(draft: Draft, bottom: str) -> None:
    draft.grow("Split", [bottom], tops=2)


def _grow_crop(draft: Draft, bottom: str) -> None:
    shape = draft.shapes[bottom]
    axis = draft.random.randrange(1, len(shape))
    offsets = [draft.random.randint(0, size - 1) for size in shape[axis:]]
    reference = draft.feed(*shape[:axis], *(size - offset for size, offset in zip(shape[axis:], offsets, strict=True)))
    offset_text = " ".join(f"offset: {offset}" for offset in offsets)
    draft.grow("Crop", [bottom, reference], f"crop_param {{ axis: {axis} {offset_text} }}")


def _grow_operand(draft: Draft, bottom: str) -> None:
    shape = draft.shapes[bottom]
    axis = draft.random.randrange(len(shape))
    operand = draft.feed(*shape[axis : draft.random.randint(axis + 1, len(shape))])
    kind = draft.random.choice(("Scale", "Bias"))
    draft.grow(kind, [bottom, operand], f"{kind.lower()}_param {{ axis: {axis} }}")


def _grow_axpy(draft: Draft, bottom: str) -> None:
    shape = draft.shapes[bottom]
    if len(shape) == 4:
        draft.grow("Axpy", [draft.feed(*shape[:2], 1, 1), bottom, draft.feed(*shape)])


def _grow_recurrent(draft: Draft, bottom: str) -> None:
    shape = draft.shapes[bottom]
    if len(shape) > 2:
        continues = draft.feed(*shape[:2], name="continues")
        body = f'recurrent_param {{ num_output: 3 weight_filler {{ type: "xavier" }} {BIAS} }}'
        draft.grow(draft.random.choice(("LSTM", "RNN")), [bottom, continues], body)


def _grow_masked_pooling(draft: Draft, bottom: str) -> None:
    if len(draft.shapes[bottom]) == 4:
        top, mask = draft.add("Pooling", [bottom], "pooling_param { kernel_size: 2 stride: 2 }", tops=2)
        draft.add("Silence", [mask], tops=0)
        draft.readable.append(top)
        draft.last = top


def _grow_reindex(draft: Draft, bottom: str) -> None:
    if draft.shapes[bottom][0] > 1:  # the indices are 0 and 1
        draft.grow("BatchReindex", [bottom, draft.feed(draft.random.randint(1, 4), name="bits")])


def _filter_aside(draft: Draft, bottom: str) -> None:
    """What is left of a batch depends on values, so that it suits no label: it goes into a loss of its own."""
    kept = draft.add("Filter", [bottom, draft.feed(draft.shapes[bottom][0], name="bits")])
    draft.add("Sigmoid", kept, "loss_weight: 0.2")


def _look_aside(draft: Draft, bottom: str) -> None:
    """Layers that no gradient goes through, whose tops are read and dropped."""
    kind, body = draft.random.choice((("ArgMax", "argmax_param { axis: 1 }"), ("Threshold", "")))
    draft.add("Silence", draft.add(kind, [bottom], body), tops=0)


def _grow_shared(draft: Draft, bottom: str) -> None:
    """Two layers with one weight, whose biases differ: a maximum of equal tops would have no derivative."""
    fillers = f'weight_filler {{ type: "xavier" }} {BIAS}'
    body = f'inner_product_param {{ num_output: 3 {fillers} }} param {{ name: "shared" lr_mult: 0.5 }}'
    if not any(param.name for layer in draft.net.layer for param in layer.param):
        draft.grow("InnerProduct", [bottom], body)
        draft.grow("InnerProduct", [bottom], body)


GROWERS: tuple[Callable[[Draft, str], None], ...] = (
    *[_grow_one] * 24,
    _grow_dilated,
    _grow_eltwise,
    _grow_concat,
    _grow_slice,
    _grow_split,
    _grow_crop,
    _grow_operand,
    _grow_axpy,
    _grow_recurrent,
    _grow_masked_pooling,
    _grow_reindex,
    _filter_aside,
    _grow_shared,
    _look_aside,
)


# -- what is at the end


def _classes(draft: Draft, blob: str) -> str:
    """Scores (N, 3, ...) of the blob."""
    if draft.shapes[blob][1] >= 3 and draft.random.random() < 0.5:
        return blob
    body = 'inner_product_param { num_output: 3 weight_filler { type: "xavier" } }'
    return draft.add("InnerProduct", [blob], body)[0]


def _softmax_loss(draft: Draft, blob: str) -> None:
    scores = _classes(draft, blob)
    shape = draft.shapes[scores]
    mode = draft.random.choice(("FULL", "VALID", "BATCH_SIZE", "NONE"))
    body = f"loss_param {{ normalization: {mode} ignore_label: {draft.random.randint(0, 3)} }}"
    labels = draft.feed(shape[0], 1, *shape[2:], name="label")
    draft.add("SoftmaxWithLoss", [scores, labels], body + " loss_weight: 0.7")
    if draft.random.random() < 0.5:
        draft.add("Accuracy", [scores, labels], "accuracy_param { top_k: 2 }")


def _class_loss(draft: Draft, blob: str) -> None:
    scores = _classes(draft, blob)
    shape = draft.shapes[scores]
    kind = draft.random.choice(("HingeLoss", "MultinomialLogisticLoss"))
    if kind == "MultinomialLogisticLoss":
        scores = draft.add("Softmax", draft.add("Flatten", [scores]))[0]
    norm = "hinge_loss_param { norm: L2 }" if kind == "HingeLoss" and draft.random.random() < 0.5 else ""
    draft.add(kind, [scores, draft.feed(shape[0], name="label")], norm)


def _infogain_loss(draft: Draft, blob: str) -> None:
    scores = draft.add("InnerProduct", [blob], 'inner_product_param { num_output: 3 weight_filler { type: "xavier" } }')
    labels = draft.feed(draft.shapes[blob][0], name="label")
    draft.add("InfogainLoss", [*scores, labels, draft.feed(1, 1, 3, 3)])


def _like_loss(draft: Draft, blob: str) -> None:
    kind = draft.random.choice(("EuclideanLoss", "SigmoidCrossEntropyLoss", "SmoothL1Loss"))
    name = "bits" if kind == "SigmoidCrossEntropyLoss" else "side"
    draft.add(kind, [blob, draft.feed(*draft.shapes[blob], name=name)], "loss_weight: 1.5")


def _contrastive_loss(draft: Draft, blob: str) -> None:
    flat = draft.add("Flatten", [blob])[0]
    shape = draft.shapes[flat]
    legacy = f"contrastive_loss_param {{ margin: 1.2 legacy_version: {draft.flag()} }}"
    draft.add("ContrastiveLoss", [flat, draft.feed(*shape), draft.feed(shape[0], name="bits")], legacy)


def _weighted(draft: Draft, blob: str) -> None:
    """A loss weight on a layer that is no loss; its top is an output or read on."""
    top = draft.add("TanH", [blob], "loss_weight: 0.4")
    if draft.random.random() < 0.5:
        draft.add("Silence", top, tops=0)


LOSSES = (_softmax_loss, _class_loss, _infogain_loss, _like_loss, _contrastive_loss, _weighted)


def random_net(seed: int) -> caffe_pb2.NetParameter:
    """The net of a seed; its `state` says the phase it is made for."""
    random = Random(seed)
    phase = random.choice(("TRAIN", "TEST"))
    draft = Draft(random, phase)
    draft.net.name = f"random_{seed}"
    draft.net.state.phase = getattr(caffe_pb2, phase)
    draft.net.force_backward = random.random() < 0.7
    draft.last = draft.feed(random.randint(2, 3), random.choice((3, 4, 6)), *random.sample(range(4, 9), 2), name="data")
    draft.readable.append(draft.last)
    for _ in range(random.randint(3, 8)):
        bottom = draft.last if random.random() < 0.8 else random.choice(draft.readable)
        if len(draft.shapes[bottom]) > 1:
            random.choice(GROWERS)(draft, bottom)
    for _ in range(random.randint(1, 2)):
        random.choice(LOSSES)(draft, _ended(draft))
    return draft.net


def _ended(draft: Draft) -> str:
    """The last blob, with two axes at least."""
    if len(draft.shapes[draft.last]) < 2:
        draft.grow("Reshape", [draft.last], "reshape_param { shape { dim: 1 } axis: -1 num_axes: 0 }")
    return draft.last

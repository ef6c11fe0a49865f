"""CNN-RNN: embeds images and labels in one space, and runs an LSTM over each image's labels.

Wang et al., "CNN-RNN: a unified framework for multi-label image classification" (CVPR 2016), section 3. A path
holds the labels of an image in the order of their frequency, and an end. With w the embedding of a label (U_l) and o
the LSTM's output, the scores of the next label are s = U_l^T h(U_o o + U_I I): the embedding is the classifier too,
and I is the image's pool5. Here h is a ReLU, and
there is no dropout.

Token 0 means the start of a path as an input, and the end of a path as a prediction; label i is token i + 1.
"""

from collections.abc import Sequence

from prototxt_gen.builder import Maps, NetBuilder
from prototxt_gen.options import GeneratorOptions

#: The target after the end of a path, which the loss ignores.
AFTER_END = -1
#: Default number of steps of a path, with its end: an image of MS-COCO has up to 18 labels.
LONGEST_PATH = 19
EMBEDDING = "label_embedding"


def add_path_data(net: NetBuilder, options: GeneratorOptions) -> Maps:
    """Adds the paths' LMDBs for both phases, in the order of the images; returns the paths (N, steps, 1, 1)."""
    path = Maps("path", options.path_steps)
    for phase, split in (("TRAIN", "train"), ("TEST", options.test_split)):
        database = {
            "source": f"{options.data}/{split}_path_lmdb",
            "batch_size": options.batch_size,
            "backend": "LMDB",
        }
        net.layer("Data", "path", [], path, include=[{"phase": phase}], data_param=database)
    return path


def embed_image(net: NetBuilder, pooled: Maps, options: GeneratorOptions) -> Maps:
    """Adds U_I I, the image (N, embedding) in the space of the labels."""
    return net.inner_product(pooled, "image_embedding", options.embedding)


def add_path_loss(net: NetBuilder, image: Maps, path: Maps, options: GeneratorOptions) -> None:
    """Adds the LSTM along the true labels, and the cross-entropy of the next label at each step."""
    steps, batch = options.path_steps, options.batch_size
    tokens, targets = _tokens_and_targets(net, path, batch)
    first, rest = Maps("path_begins", 1), Maps("path_continues", steps - 1)
    net.layer(
        "DummyData",
        "path_marks",
        [],
        first,
        more_tops=[rest],
        dummy_data_param={
            "shape": [{"dim": [1, batch]}, {"dim": [steps - 1, batch]}],
            "data_filler": [{"type": "constant", "value": 0}, {"type": "constant", "value": 1}],
        },
    )
    marks = net.layer("Concat", "path_mark", [first, rest], Maps("path_mark", steps), concat_param={"axis": 0})
    embedded = _embed(net, tokens, options)
    hidden = net.layer(
        "LSTM",
        "path_lstm",
        [embedded, marks],
        Maps("path_lstm", steps * options.hidden),
        recurrent_param=_recurrent(net, options),
    )
    image = _tiled(net, image, steps, options)
    scores = _scores(net, hidden, image, options)
    net.layer(
        "SoftmaxWithLoss",
        "loss_path",
        [scores, targets],
        Maps("loss_path", 1),
        softmax_param={"axis": 2},
        loss_param={"ignore_label": AFTER_END},
    )


def next_label_net(options: GeneratorOptions) -> NetBuilder:
    """The net of one step along several paths at once, which a beam search runs.

    Inputs: image_embedding (paths, embedding), the last `token` (1, paths) of each path, `path_mark` (1, paths), which
    is 0 at the start, and the LSTM's states `hidden` and `cell` (1, paths, hidden). Outputs: probabilities of the next
    token (1, paths, labels + 1), and the states hidden_next and cell_next.
    """
    net = NetBuilder(
        f"{options.dataset}_{options.model}_path_test", options.norm, options.moving_average_fraction, True
    )
    net.begin("path", 1.0, released_style=False)
    image = _input(net, "image_embedding", [1, options.embedding])
    token, mark = _input(net, "token", [1, 1]), _input(net, "path_mark", [1, 1])
    hidden, cell = (_input(net, name, [1, 1, options.hidden]) for name in ("hidden", "cell"))
    top, *states = (Maps(name, options.hidden) for name in ("path_lstm", "hidden_next", "cell_next"))
    net.layer(
        "LSTM",
        "path_lstm",
        [_embed(net, token, options), mark, hidden, cell],
        top,
        more_tops=states,
        recurrent_param=_recurrent(net, options) | {"expose_hidden": True},
    )
    scores = _scores(net, top, _tiled(net, image, 1, options), options)
    net.layer(
        "Softmax", "probabilities", [scores], Maps("probabilities", options.labels + 1), softmax_param={"axis": 2}
    )
    return net


def _input(net: NetBuilder, name: str, shape: Sequence[int]) -> Maps:
    net.message.input.append(name)
    net.message.input_shape.add(dim=shape)
    return Maps(name, shape[-1])


def _tokens_and_targets(net: NetBuilder, path: Maps, batch: int) -> tuple[Maps, Maps]:
    """Adds what is read and what is predicted at each step, both (steps, N): the path one step later, and the path."""
    steps = [Maps(f"path_{number}", 1) for number in range(path.channels)]
    net.layer("Slice", "path_slice", [path], steps[0], more_tops=steps[1:], slice_param={"axis": 1})
    start = net.layer(
        "DummyData",
        "path_start",
        [],
        Maps("path_start", 1),
        dummy_data_param={
            "shape": [{"dim": [batch, 1, 1, 1]}],
            "data_filler": [{"type": "constant", "value": 0}],
        },
    )
    read = _in_steps(net, [start, *steps[:-1]], "token")
    read = net.relu(read, "token_relu")  # inputs after the end do not count, but must be tokens
    return read, _in_steps(net, steps, "next")


def _in_steps(net: NetBuilder, blobs: Sequence[Maps], name: str) -> Maps:
    """Adds the blobs (N, 1, 1, 1) as one of (steps, N)."""
    line = Maps(f"{name}_line", len(blobs))
    net.layer("Concat", line.name, blobs, line, concat_param={"axis": 0})
    shape = {"shape": {"dim": [len(blobs), -1]}}
    return net.layer("Reshape", name, [line], Maps(name, len(blobs)), reshape_param=shape)


def _embed(net: NetBuilder, tokens: Maps, options: GeneratorOptions) -> Maps:
    vocabulary = options.labels + 1
    net.count(vocabulary * options.embedding)
    fields = {
        "input_dim": vocabulary,
        "num_output": options.embedding,
        "bias_term": False,
        "weight_filler": {"type": "xavier"},
    }
    top = Maps(EMBEDDING, tokens.channels * options.embedding)
    return net.layer("Embed", EMBEDDING, [tokens], top, embed_param=fields, param=net.shared_weight(EMBEDDING))


def _recurrent(net: NetBuilder, options: GeneratorOptions) -> dict[str, object]:
    sums = 4 * options.hidden
    net.count(sums * (options.embedding + 1 + options.hidden))
    return {"num_output": options.hidden, "weight_filler": {"type": "xavier"}}


def _tiled(net: NetBuilder, image: Maps, steps: int, options: GeneratorOptions) -> Maps:
    """Adds the image's embedding once for each step: (steps, N, embedding)."""
    shape = {"shape": {"dim": [1, -1, options.embedding]}}
    line = net.layer("Reshape", "image_line", [image], Maps("image_line", image.channels), reshape_param=shape)
    tiled = Maps("image_steps", steps * options.embedding)
    return net.layer("Tile", tiled.name, [line], tiled, tile_param={"axis": 0, "tiles": steps})


def _scores(net: NetBuilder, hidden: Maps, image: Maps, options: GeneratorOptions) -> Maps:
    """Adds s = U_l^T h(U_o o + U_I I): (steps, N, labels + 1)."""
    net.count((options.hidden + 1) * options.embedding)
    output = net.layer(
        "InnerProduct",
        "path_output",
        [hidden],
        Maps("path_output", image.channels),
        inner_product_param={"num_output": options.embedding, "axis": 2, "weight_filler": {"type": "xavier"}},
        param=net.rates(bias=True),
    )
    joint = net.relu(net.eltwise([output, image], "path_joint"), "path_joint_relu")
    return net.layer(
        "InnerProduct",
        "path_scores",
        [joint],
        Maps("path_scores", options.labels + 1),
        inner_product_param={
            "num_output": options.labels + 1,
            "axis": 2,
            "bias_term": False,
            "weight_filler": {"type": "xavier"},
        },
        param=net.shared_weight(EMBEDDING),
    )

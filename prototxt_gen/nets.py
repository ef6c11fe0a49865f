"""The nets of a step: one for training and validation, with the losses (Eq. 10), and one for prediction."""

from collections.abc import Mapping

from prototxt_gen import heads, label_paths, regions, released_heads
from prototxt_gen.backbones import CountedNames, LayerNaming, Size, narrow, preresnet, public_names, resnet, stages
from prototxt_gen.builder import Maps, NetBuilder
from prototxt_gen.data_layers import add_data_layers, add_input, say_mean
from prototxt_gen.options import GeneratorOptions
from prototxt_gen.recipes import MODELS, TrainingStep

UNKNOWN = -1  # marks an unknown label in label files and label LMDBs


def add_losses(net: NetBuilder, scores: Mapping[str, Maps], label: Maps, options: GeneratorOptions) -> None:
    """Adds a loss layer per score, keyed by the name of the loss.

    Labels are 0 or 1, and also UNKNOWN if `unknown_labels` is set.
    """
    add = _ranking_loss if MODELS[options.model].ranks else _plain_loss
    if options.unknown_labels and not MODELS[options.model].ranks:
        add = {"batchnorm": _ignoring_loss, "bn": _masked_loss}[options.norm]
    for loss, score in scores.items():
        add(net, loss, score, label)


def _plain_loss(net: NetBuilder, loss: str, score: Maps, label: Maps) -> None:
    net.layer("SigmoidCrossEntropyLoss", loss, [score, label], Maps(loss, 1))


def _ranking_loss(net: NetBuilder, loss: str, score: Maps, label: Maps) -> None:
    """Adds the loss of WARP, a layer of this project's runtime alone, which leaves unknown labels out by itself."""
    net.layer("WARPLoss", loss, [score, label], Maps(loss, 1))


def _ignoring_loss(net: NetBuilder, loss: str, score: Maps, label: Maps) -> None:
    """Adds BVLC Caffe's loss, which has a field for the label to ignore."""
    net.layer("SigmoidCrossEntropyLoss", loss, [score, label], Maps(loss, 1), loss_param={"ignore_label": UNKNOWN})


def _masked_loss(net: NetBuilder, loss: str, score: Maps, label: Maps) -> None:
    """Adds a loss with the same gradients for the Caffe of the released SRN code, which cannot ignore a label.

    Each score with an unknown label is multiplied by 0, so that its gradient is 0. The value of the loss is larger by
    log 2 per unknown label.
    """
    flat = net.layer("Flatten", f"{loss}_label", [label], Maps(f"{loss}_label", label.channels))
    known = Maps(f"{loss}_known", label.channels)
    known = net.layer("Threshold", known.name, [flat], known, threshold_param={"threshold": UNKNOWN / 2})
    target = net.layer("ReLU", f"{loss}_target", [flat], Maps(f"{loss}_target", label.channels))
    masked = net.eltwise([score, known], f"{loss}_score", operation="PROD")
    net.layer("SigmoidCrossEntropyLoss", loss, [masked, target], Maps(loss, 1))


BACKBONES = {"resnet": resnet, "preresnet": preresnet, "narrow": narrow}
HEADS = {"paper": heads, "released": released_heads}


def train_net(options: GeneratorOptions, step: TrainingStep) -> NetBuilder:
    """The net of a step for both phases: data, parts and losses; parts that the step does not learn are fixed."""
    net = _builder(options, step, deploy=False)
    data, label = add_data_layers(net, options)
    boxes = regions.add_region_data(net, options) if "regions" in step.parts else None
    scores = _scores(net, data, options, step, set(step.losses.values()), boxes)
    if "path" in step.parts:
        path = label_paths.add_path_data(net, options)
        label_paths.add_path_loss(net, scores["image_embedding"], path, options)
    else:
        of_labels = {loss: scores[score] for loss, score in step.losses.items() if score != "scene"}
        add_losses(net, of_labels, label, options)
    if "scene" in scores:
        net.layer(
            "SoftmaxWithLoss",
            "loss_scene",
            [scores["scene"], regions.add_scene_data(net, options)],
            Maps("loss_scene", 1),
        )
    losses = set(step.losses)
    net.silence([blob for name, blob in net.loose.items() if name not in losses])
    return net


def test_net(options: GeneratorOptions, step: TrainingStep) -> NetBuilder:
    """The net that predicts after a step: the same parts without data; its first output is the step's score."""
    net = _builder(options, step, deploy=True)
    data = add_input(net, options)
    boxes = regions.add_region_input(net, options) if "regions" in step.parts else None
    scores = _scores(net, data, options, step, {step.score}, boxes)
    # Caffe orders outputs alphabetically, and the released programs save the first one: silence the outputs before it.
    net.silence([blob for name, blob in net.loose.items() if name < scores[step.score].name])
    if options.layout != "released":  # which is the released net, layer by layer
        say_mean(net, data)
    return net


def _builder(options: GeneratorOptions, step: TrainingStep, deploy: bool) -> NetBuilder:
    name = f"{options.dataset}_{step.name}_depth_{options.depth}_{'test' if deploy else 'trainval'}"
    return NetBuilder(name, options.norm, options.moving_average_fraction, deploy)


def _backbone_size(options: GeneratorOptions) -> Size:
    extra_blocks = MODELS[options.model].extra_blocks
    return Size(
        stages(options.depth, options.width, extra_blocks),
        options.width,
        options.receptive_field,
        extra_blocks,
        options.stride_in,
        floor_pooling=options.pooling == "floor",
    )


def _scores(
    net: NetBuilder,
    data: Maps,
    options: GeneratorOptions,
    step: TrainingStep,
    wanted: set[str],
    boxes: regions.Regions | None,
) -> Mapping[str, Maps]:
    """Adds the parts of a step's net; returns its scores, with the sum of y_cls and y_sr only if wanted.

    With `boxes`, the scores are those of the regions.
    """
    model, head = MODELS[options.model], HEADS[options.layout]
    released = options.layout == "released"
    released_backbone = released and options.backbone == "preresnet"
    names: LayerNaming = CountedNames("caffe.", first=0) if released_backbone else public_names

    net.begin("main", float("main" in step.learns), released_backbone)
    size = _backbone_size(options)
    if boxes:
        features = BACKBONES[options.backbone](
            net, data, size, names, lambda blob: regions.pool_regions(net, blob, boxes, options)
        )
        net.begin("regions", float("regions" in step.learns), released)
        return regions.region_scores(net, net.average_pool(features.last, "pool5"), boxes, options)
    features = BACKBONES[options.backbone](net, data, size, names)
    pooled, scores = heads.classifier(net, features.last, options, names)
    made = {"y_cls": scores}
    if "attention" in step.parts:
        net.begin("attention", float("attention" in step.learns), released)
        maps = head.attention(net, features.tap_sum if released else features.tap, options)
        made["y_att"] = maps.scores
    if "regularization" in step.parts:
        net.begin("regularization", options.sr_lr_mult * ("regularization" in step.learns), released)
        made["y_sr"] = head.spatial_regularization(net, maps, options, model.weighted_attention)
        if "y" in wanted:
            learns_alpha = options.learn_alpha and "y" in step.losses.values()
            made["y"] = heads.fuse(net, made["y_cls"], made["y_sr"], options, learns_alpha)
    if "path" in step.parts:
        net.begin("path", float("path" in step.learns), released)
        made["image_embedding"] = label_paths.embed_image(net, pooled, options)
    if "semantic" in step.parts:
        net.begin("semantic", float("semantic" in step.learns), released)
        made["y"] = heads.semantic(net, pooled, scores, options)
    return made

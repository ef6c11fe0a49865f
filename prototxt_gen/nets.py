"""The nets of a step: one for training and validation, and one for prediction."""

from collections.abc import Mapping

from prototxt_gen import heads, label_paths, regions, released_heads
from prototxt_gen.backbones import CountedNames, Naming, Size, narrow, preresnet, public_names, resnet, stages
from prototxt_gen.builder import Blob, NetBuilder
from prototxt_gen.data_layers import add_data_layers, add_input
from prototxt_gen.losses import add_losses
from prototxt_gen.options import Options
from prototxt_gen.recipes import MODELS, Step

BACKBONES = {"resnet": resnet, "preresnet": preresnet, "narrow": narrow}
HEADS = {"paper": heads, "released": released_heads}


def train_net(options: Options, step: Step) -> NetBuilder:
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
            Blob("loss_scene", 1),
        )
    losses = set(step.losses)
    net.silence([blob for name, blob in net.loose.items() if name not in losses])
    return net


def test_net(options: Options, step: Step) -> NetBuilder:
    """The net that predicts after a step: the same parts without data; its first output is the step's score."""
    net = _builder(options, step, deploy=True)
    data = add_input(net, options)
    boxes = regions.add_region_input(net, options) if "regions" in step.parts else None
    scores = _scores(net, data, options, step, {step.score}, boxes)
    # Caffe orders outputs alphabetically, and the released programs save the first one: silence the outputs before it.
    net.silence([blob for name, blob in net.loose.items() if name < scores[step.score].name])
    return net


def _builder(options: Options, step: Step, deploy: bool) -> NetBuilder:
    name = f"{options.dataset}_{step.name}_depth_{options.depth}_{'test' if deploy else 'trainval'}"
    return NetBuilder(name, options.norm, options.moving_average_fraction, deploy)


def _scores(
    net: NetBuilder, data: Blob, options: Options, step: Step, wanted: set[str], boxes: regions.Regions | None
) -> Mapping[str, Blob]:
    """Adds the parts of a step's net; returns its scores, with the sum of y_cls and y_sr only if wanted.

    With `boxes`, the scores are those of the regions.
    """
    model, head = MODELS[options.model], HEADS[options.layout]
    released = options.layout == "released"
    released_backbone = released and options.backbone == "preresnet"
    names: Naming = CountedNames("caffe.", first=0) if released_backbone else public_names

    net.begin("main", float("main" in step.learns), released_backbone)
    blocks = stages(options.depth, options.width, model.extra_blocks)
    size = Size(
        blocks,
        options.width,
        options.receptive_field,
        model.extra_blocks,
        options.stride_in,
        floor_pooling=options.pooling == "floor",
    )
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

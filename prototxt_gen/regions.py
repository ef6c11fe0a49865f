"""R-CNN, R*CNN and DHC: nets that find a person's attributes in regions of the photograph, pooled from one feature map.

- R-CNN: Girshick, "Fast R-CNN" (ICCV 2015). One region, the person's box, pooled by ROIPooling.
- R*CNN: Gkioxari, Girshick and Malik, "Contextual action recognition with R*CNN" (ICCV 2015), equation 2. For each
  attribute, the best of several regions around the person adds its score; all parts are trained jointly.
- DHC: Li, Huang, Loy and Tang, "Human attribute recognition by deep hierarchical contexts" (ECCV 2016). Uses the
  person, the person's best part together with the same parts of people near, and the score of the scene.

As He et al. [13] run Fast R-CNN over a ResNet, regions are pooled between stages 4 and 5. ROIPooling is a layer of Fast
R-CNN's Caffe and of the Caffe of `--norm bn`; BVLC Caffe lacks it. Here each item of a batch is
one person with the whole photograph, so that Caffe's data layers can feed the net.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from prototxt_gen.builder import Maps, NetBuilder
from prototxt_gen.options import GeneratorOptions
from prototxt_gen.recipes import MODELS

#: Stride, in pixels of the photograph, of the map from which regions are pooled.
STRIDES = {"resnet": 16, "preresnet": 16, "narrow": 8}


class Regions(NamedTuple):
    """Regions of all persons of a batch: kind and number of each, and the blob of all, one kind after the other.

    The blob has (regions * N) rows of image index, left, top, right and bottom, in pixels.
    """

    kinds: tuple[tuple[str, int], ...]
    boxes: Maps

    @property
    def number(self) -> int:
        """The number of regions of a person."""
        return sum(number for _, number in self.kinds)


def kinds_of(options: GeneratorOptions) -> tuple[tuple[str, int], ...]:
    """The kinds of regions that the model reads, in order, and how many of each a person has."""
    counts = {
        "person": 1,
        "around": options.around,
        "part": options.parts,
        "neighbour": options.parts * options.neighbours,
        "whole": 1,
    }
    return tuple((kind, counts[kind]) for kind in MODELS[options.model].regions)


def add_region_input(net: NetBuilder, options: GeneratorOptions) -> Regions:
    """Adds the input `rois` (regions, 5) of a net that predicts."""
    regions = Regions(kinds_of(options), Maps("rois", 5))
    net.message.input.append("rois")
    net.message.input_shape.add(dim=[regions.number, 5])
    return regions


def add_region_data(net: NetBuilder, options: GeneratorOptions) -> Regions:
    """Adds the LMDBs of boxes, in the order of the photographs, and joins all boxes into the blob `rois`."""
    index = _image_index(net, options)
    kinds = kinds_of(options)
    rows = [
        net.layer("Concat", f"{box.name}_roi", [index, box], Maps(f"{box.name}_roi", 5))
        for kind, count in kinds
        for box in _boxes(net, kind, count, options)
    ]
    return Regions(kinds, net.layer("Concat", "rois", rows, Maps("rois", 5), concat_param={"axis": 0}))


def add_scene_data(net: NetBuilder, options: GeneratorOptions) -> Maps:
    """Adds the LMDBs of scene labels (N, 1, 1, 1), in the order of the photographs."""
    return _database(net, Maps("scene_label", 1), "scene", options)


def pool_regions(net: NetBuilder, features: Maps, regions: Regions, options: GeneratorOptions) -> Maps:
    """Adds the features of each region: (regions * N, channels, bins, bins)."""
    top = Maps("roi_pool", features.channels, options.bins)
    net.items = regions.number
    fields = {
        "pooled_h": options.bins,
        "pooled_w": options.bins,
        "spatial_scale": 1 / STRIDES[options.backbone],
    }
    return net.layer("ROIPooling", top.name, [features, regions.boxes], top, roi_pooling_param=fields)


def region_scores(net: NetBuilder, pooled: Maps, regions: Regions, options: GeneratorOptions) -> dict[str, Maps]:
    """Adds the scores y of the model from the pooled features of all regions; for DHC also `scene`."""
    by_kind = _by_kind(net, pooled, regions)
    net.items = 1
    scores = [net.inner_product(by_kind["person"][0], "person_fc", options.labels, top="y_person")]
    made = {}
    if "around" in by_kind:
        scores.append(_best(net, "around", [_each(net, "around", by_kind["around"], options)], len(by_kind["around"])))
    if "part" in by_kind:
        scores.append(_best_part(net, by_kind["part"], by_kind["neighbour"], options))
    if "whole" in by_kind:
        made["scene"] = net.inner_product(by_kind["whole"][0], "scene_fc", options.scenes, top="scene")
        share = net.layer("Softmax", "scene_share", [made["scene"]], Maps("scene_share", options.scenes))
        scores.append(net.inner_product(share, "rescore_fc", options.labels, top="y_scene"))
    if len(scores) == 1:
        net.message.layer[-1].top[:] = ["y"]
        net.loose["y"] = net.loose.pop("y_person")
        return {"y": Maps("y", options.labels)}
    return made | {"y": net.eltwise(scores, "y")}


def _best_part(net: NetBuilder, parts: Sequence[Maps], neighbours: Sequence[Maps], options: GeneratorOptions) -> Maps:
    """Adds the highest score of a part with the mean of the same part of the people near."""
    near = [
        _mean(net, f"near_{number}", neighbours[first : first + options.neighbours])
        for number, first in enumerate(range(0, len(neighbours), options.neighbours))
    ]
    return _best(net, "part", [_each(net, "part", parts, options), _each(net, "near", near, options)], len(parts))


def _by_kind(net: NetBuilder, pooled: Maps, regions: Regions) -> dict[str, list[Maps]]:
    """Adds a Slice of the features by region, and returns them by kind: each (N, channels, 1, 1)."""
    names = [(kind, f"{kind}_{number}_pool") for kind, count in regions.kinds for number in range(count)]
    if len(names) == 1:
        return {regions.kinds[0][0]: [pooled]}
    blobs = [Maps(name, pooled.channels) for _, name in names]
    net.layer("Slice", "regions", [pooled], blobs[0], more_tops=blobs[1:], slice_param={"axis": 0})
    by_kind: dict[str, list[Maps]] = {}
    for (kind, _), blob in zip(names, blobs, strict=True):
        by_kind.setdefault(kind, []).append(blob)
    return by_kind


def _each(net: NetBuilder, kind: str, regions: Sequence[Maps], options: GeneratorOptions) -> Maps:
    """Adds one classifier for all regions of a kind: scores (regions * N, labels)."""
    every = net.layer(
        "Concat", f"{kind}_pool", regions, Maps(f"{kind}_pool", regions[0].channels), concat_param={"axis": 0}
    )
    return net.inner_product(every, f"{kind}_fc", options.labels)


def _best(net: NetBuilder, kind: str, scores: Sequence[Maps], count: int) -> Maps:
    """Adds the sum of scores (regions * N, labels), and for each label the highest of a person's regions."""
    total = scores[0] if len(scores) == 1 else net.eltwise(scores, f"{kind}_scores")
    each = [Maps(f"{kind}_{number}_score", total.channels) for number in range(count)]
    net.layer("Slice", f"{kind}_slice", [total], each[0], more_tops=each[1:], slice_param={"axis": 0})
    return each[0] if count == 1 else net.eltwise(each, f"y_{kind}", operation="MAX")


def _mean(net: NetBuilder, name: str, blobs: Sequence[Maps]) -> Maps:
    if len(blobs) == 1:
        return blobs[0]
    return net.eltwise(blobs, name, operation="SUM", coeff=[1 / len(blobs)] * len(blobs))


def _image_index(net: NetBuilder, options: GeneratorOptions) -> Maps:
    """Adds the numbers 0 to N - 1 as (N, 1, 1, 1): the image of each person in the batch."""
    numbers = [Maps(f"image_{number}", 1) for number in range(options.batch_size)]
    fields = {
        "shape": [{"dim": [1, 1, 1, 1]}],
        "data_filler": [{"type": "constant", "value": number} for number in range(options.batch_size)],
    }
    net.layer("DummyData", "image_numbers", [], numbers[0], more_tops=numbers[1:], dummy_data_param=fields)
    return net.layer("Concat", "image_index", numbers, Maps("image_index", 1), concat_param={"axis": 0})


def _boxes(net: NetBuilder, kind: str, count: int, options: GeneratorOptions) -> Iterator[Maps]:
    """Adds the boxes of a kind; yields each as (N, 4, 1, 1)."""
    if kind == "whole":
        yield _whole(net, options)
        return
    boxes = _database(net, Maps(f"{kind}_box", 4 * count), kind, options)
    if count == 1:
        yield boxes
        return
    each = [Maps(f"{kind}_{number}", 4) for number in range(count)]
    net.layer("Slice", f"{kind}_boxes", [boxes], each[0], more_tops=each[1:], slice_param={"axis": 1})
    yield from each


def _whole(net: NetBuilder, options: GeneratorOptions) -> Maps:
    """Adds the box of the whole photograph for each item."""
    first, last = Maps("whole_first", 2), Maps("whole_last", 2)
    fields = {
        "shape": [{"dim": [options.batch_size, 2, 1, 1]}],
        "data_filler": [{"type": "constant", "value": value} for value in (0, options.input_size - 1)],
    }
    net.layer("DummyData", "whole_corners", [], first, more_tops=[last], dummy_data_param=fields)
    return net.layer("Concat", "whole", [first, last], Maps("whole", 4))


def _database(net: NetBuilder, top: Maps, kind: str, options: GeneratorOptions) -> Maps:
    for phase, split in (("TRAIN", "train"), ("TEST", options.test_split)):
        source = {"source": f"{options.data}/{split}_{kind}_lmdb", "batch_size": options.batch_size, "backend": "LMDB"}
        net.layer("Data", top.name, [], top, include=[{"phase": phase}], data_param=source)
    return top

"""Adds layers to a NetParameter and tracks the names, channels, sizes and counts that later layers need."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from caffe_compat.proto import caffe_pb2

WEIGHT, BIAS = (1.0, 1.0), (2.0, 0.0)  # (lr_mult, decay_mult), as is usual in Caffe
SLOPE = (1.0, 0.0)  # slope and bias of a normalisation: no weight decay, as in the released code
STATISTIC = (0.0, 0.0)


@dataclass(frozen=True)
class Maps:
    """A named blob: `channels` maps of `size` x `size` values per image."""

    name: str
    channels: int
    size: int = 1


class NetBuilder:
    """A NetParameter to which methods add layers.

    `begin` states to which part of the paper's net the next layers belong. `message` is the net. `parameters` counts
    the learned numbers of each part, without running statistics. `loose` holds the tops that no layer has read.
    `values` counts the values of all blobs per image, which memory must hold; `items` says how many items the next
    layers have for each image (regions).
    """

    def __init__(self, name: str, norm: str, moving_average_fraction: float, deploy: bool) -> None:
        self.message = caffe_pb2.NetParameter(name=name)
        self.parameters: Counter[str] = Counter()
        self.loose: dict[str, Maps] = {}
        self.values = 0
        self.items = 1
        self.released_style = False
        self._norm = {"batchnorm": self._batch_norm_and_scale, "bn": self._bn}[norm]
        self._moving_average_fraction = moving_average_fraction
        self._deploy = deploy
        self._part, self._lr_mult = "", 1.0

    def begin(self, part: str, lr_mult: float, released_style: bool) -> None:
        """Starts a part of the net; with lr_mult 0, weights and statistics of its layers stay fixed.

        The released style writes a window as kernel_h and kernel_w, and normalises into a separate blob.
        """
        self._part, self._lr_mult, self.released_style = part, lr_mult, released_style

    def layer(
        self, kind: str, name: str, bottoms: Sequence[Maps], top: Maps, more_tops: Sequence[Maps] = (), **fields: Any
    ) -> Maps:
        """Adds a layer; returns `top`, its first top."""
        read = [bottom.name for bottom in bottoms]
        tops = [] if kind == "Silence" else [top, *more_tops]
        for bottom in read:
            self.loose.pop(bottom, None)
        for made in tops:
            self.loose[made.name] = made
            self.values += 0 if made.name in read else self.items * made.channels * made.size**2
        self.message.layer.add(name=name, type=kind, bottom=read, top=[made.name for made in tops], **fields)
        return top

    def convolution(
        self,
        bottom: Maps,
        name: str,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        pad: int = 0,
        group: int = 1,
        bias: bool = False,
        filler: dict[str, Any] | None = None,
    ) -> Maps:
        """Adds a convolution with square windows, and returns its top; sizes round down."""
        fields = {
            "num_output": channels,
            "weight_filler": filler or {"type": "msra"},
            **self._window(kernel, stride, pad),
            **({} if bias else {"bias_term": False}),
            **({"group": group} if group > 1 else {}),
        }
        self.count(channels * (bottom.channels // group) * kernel**2 + channels * bias)
        top = Maps(name, channels, (bottom.size + 2 * pad - kernel) // stride + 1)
        return self.layer("Convolution", name, [bottom], top, convolution_param=fields, param=self.rates(bias))

    def inner_product(self, bottom: Maps, name: str, channels: int, top: str = "", filler: str = "xavier") -> Maps:
        """Adds a fully connected layer and returns its top."""
        self.count(channels * (bottom.channels * bottom.size**2 + 1))
        fields = {"num_output": channels, "weight_filler": {"type": filler}}
        return self.layer(
            "InnerProduct",
            name,
            [bottom],
            Maps(top or name, channels),
            inner_product_param=fields,
            param=self.rates(bias=True),
        )

    def norm(self, bottom: Maps, name: str, in_place: bool = True) -> Maps:
        """Adds a normalisation per channel with slope and bias; in place, unless the style forbids it."""
        self.count(2 * bottom.channels)
        top = bottom if in_place and not self.released_style else Maps(name, bottom.channels, bottom.size)
        return self._norm(bottom, name, top)

    def relu(self, bottom: Maps, name: str) -> Maps:
        """Adds a ReLU in place."""
        return self.layer("ReLU", name, [bottom], bottom)

    def max_pool(self, bottom: Maps, name: str, floor: bool = False) -> Maps:
        """Adds 3 x 3 pooling of stride 2: unpadded and rounded up, or with `floor` padded by 1 and rounded down."""
        fields: dict[str, Any] = {"pool": "MAX", "kernel_size": 3, "stride": 2}
        size = math.ceil((bottom.size - 3) / 2) + 1
        if floor:
            fields |= {"pad": 1, "round_mode": "FLOOR"}
            size = (bottom.size - 1) // 2 + 1
        return self.layer("Pooling", name, [bottom], Maps(name, bottom.channels, size), pooling_param=fields)

    def average_pool(self, bottom: Maps, name: str) -> Maps:
        """Adds the mean of each channel over all places."""
        square = {"kernel_size": bottom.size, "stride": 1}
        window = {"kernel_h": bottom.size, "kernel_w": bottom.size} if self.released_style else square
        return self.layer(
            "Pooling", name, [bottom], Maps(name, bottom.channels), pooling_param={"pool": "AVE", **window}
        )

    def eltwise(self, bottoms: Sequence[Maps], name: str, **fields: Any) -> Maps:
        """Adds the sum (Caffe's default) or, with operation="PROD", the product of blobs of the same shape."""
        shape = Maps(name, bottoms[0].channels, bottoms[0].size)
        param: dict[str, Any] = {"eltwise_param": fields} if fields else {}
        return self.layer("Eltwise", name, bottoms, shape, **param)

    def scalar(self, bottom: Maps, name: str, value: float, top: str) -> Maps:
        """Adds a multiplication by a single learned number, which starts at `value`."""
        self.count(1)
        # With num_axes 0, Scale's weight is a single number.
        fields = {"axis": 0, "num_axes": 0, "filler": {"type": "constant", "value": value}}
        made = Maps(top, bottom.channels, bottom.size)
        return self.layer("Scale", name, [bottom], made, scale_param=fields, param=self._params(SLOPE))

    def silence(self, blobs: Sequence[Maps]) -> None:
        """Adds a Silence layer for blobs that nothing else reads, so that Caffe neither logs nor outputs them."""
        if blobs:
            self.layer("Silence", "silence", blobs, blobs[0])

    def rates(self, bias: bool) -> list[dict[str, float]]:
        """The `param` blocks of a layer with a weight and perhaps a bias."""
        return self._params(WEIGHT, BIAS) if bias else self._params(WEIGHT)

    def shared_weight(self, name: str) -> list[dict[str, Any]]:
        """The `param` block of a weight that all layers with this name share; a deploy net's file holds copies."""
        return [block | {"name": name} for block in self._params(WEIGHT)]

    def count(self, parameters: int) -> None:
        """Adds to the learned numbers of the current part."""
        self.parameters[self._part] += parameters

    def _window(self, kernel: int, stride: int, pad: int) -> dict[str, Any]:
        if not self.released_style:
            return {"kernel_size": [kernel], "stride": [stride], "pad": [pad]}
        sides = {"kernel": kernel, "stride": stride, "pad": pad}
        return {f"{field}_{side}": value for field, value in sides.items() for side in "hw"}

    def _batch_norm_and_scale(self, bottom: Maps, name: str, top: Maps) -> Maps:
        statistics: dict[str, Any] = {"use_global_stats": True}
        if not self._deploy and self._lr_mult:
            statistics = {"moving_average_fraction": self._moving_average_fraction}
        self.layer(
            "BatchNorm",
            name,
            [bottom],
            top,
            batch_norm_param=statistics,
            param=self._params(STATISTIC, STATISTIC, STATISTIC),
        )
        return self.layer(
            "Scale", _scale_name(name), [top], top, scale_param={"bias_term": True}, param=self._params(SLOPE, SLOPE)
        )

    def _bn(self, bottom: Maps, name: str, top: Maps) -> Maps:
        fields: dict[str, Any] = {"slope_filler": {"type": "constant", "value": 1}, "bias_filler": {"type": "constant"}}
        if not self._deploy:
            fields |= {"momentum": self._moving_average_fraction} if self._lr_mult else {"frozen": True}
        return self.layer("BN", name, [bottom], top, bn_param=fields, param=self._params(SLOPE, SLOPE))

    def _params(self, *rates: tuple[float, float]) -> list[dict[str, float]]:
        """The layer's `param` blocks; a deploy net learns nothing and has none."""
        if self._deploy:
            return []
        return [{"lr_mult": lr * self._lr_mult, "decay_mult": decay if self._lr_mult else 0} for lr, decay in rates]


def _scale_name(norm_name: str) -> str:
    """The name of the Scale after a normalisation: as in the public ResNets, scale2a_branch1 follows bn2a_branch1."""
    return norm_name.replace("bn", "scale", 1) if norm_name.startswith("bn") else f"{norm_name}_scale"

"""ResNets as torchvision, Hugging Face and timm compute them, by hand, with seeded state dicts of their names."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, max_pool2d, relu

from caffe_compat.convert.pretrained.naming import Naming
from caffe_compat.convert.pretrained.recognise import DEPTHS

EPS = 1e-5

StateDict = dict[str, Tensor]


def seeded_state_dict(naming: Naming, depth: int, width: int, classes: int = 0, seed: int = 0) -> StateDict:
    """Random tensors under the project's names, scaled so that blobs neither vanish nor grow."""
    generator = torch.Generator().manual_seed(seed)
    state: StateDict = {}

    def convolution(key: str, outputs: int, inputs: int, kernel: int) -> None:
        scale = (2 / (inputs * kernel**2)) ** 0.5
        state[f"{key}.weight"] = torch.randn(outputs, inputs, kernel, kernel, generator=generator) * scale

    def norm(key: str, channels: int) -> None:
        state[f"{key}.weight"] = torch.rand(channels, generator=generator) * 0.4 + 0.3
        state[f"{key}.bias"] = torch.randn(channels, generator=generator) * 0.2
        state[f"{key}.running_mean"] = torch.randn(channels, generator=generator) * 0.2
        state[f"{key}.running_var"] = torch.rand(channels, generator=generator) + 0.5
        state[f"{key}.num_batches_tracked"] = torch.tensor(7)

    convolution(naming.stem, width, 3, 7)
    if not naming.is_preactivation:
        norm(naming.stem_norm, width)
    before = width
    for stage, count in enumerate(DEPTHS[depth]):
        inner = width * 2**stage
        for block in range(count):
            prefix = naming.key_of_block(stage, block)
            sizes = ((inner, before, 1), (inner, inner, 3), (4 * inner, inner, 1))
            for part, (outputs, inputs, kernel) in enumerate(sizes):
                convolution(prefix + naming.convolution.format(part=part, part1=part + 1), outputs, inputs, kernel)
                channels = inputs if naming.is_preactivation else outputs
                norm(prefix + naming.norm.format(part=part, part1=part + 1), channels)
            if block == 0:
                convolution(prefix + naming.shortcut, 4 * inner, before, 1)
                if naming.shortcut_norm:
                    norm(prefix + naming.shortcut_norm, 4 * inner)
            before = 4 * inner
    if naming.is_preactivation:
        norm("norm", before)
    if classes:
        shape = (classes, before, 1, 1) if naming.is_preactivation else (classes, before)
        state[f"{naming.head}.weight"] = torch.randn(*shape, generator=generator) * 0.1
        state[f"{naming.head}.bias"] = torch.randn(classes, generator=generator)
    return state


@dataclass(frozen=True)
class TheirNet:
    """A project's forward pass over its own state dict."""

    naming: Naming
    depth: int
    state: StateDict

    def blocks(self, images: Tensor) -> dict[str, Tensor]:
        """What the stem, every block (by its place in stage and block) and the last activation give."""
        return self._preactivation(images) if self.naming.is_preactivation else self._postactivation(images)

    def scores(self, images: Tensor) -> Tensor:
        """The classifier's values."""
        pooled = self.blocks(images)["last"].mean((2, 3))
        weight = self.state[f"{self.naming.head}.weight"]
        return pooled @ weight.flatten(1).t() + self.state[f"{self.naming.head}.bias"]

    def _postactivation(self, images: Tensor) -> dict[str, Tensor]:
        x = conv2d(images, self.state[f"{self.naming.stem}.weight"], stride=2, padding=3)
        x = max_pool2d(relu(self._norm(self.naming.stem_norm, x)), 3, stride=2, padding=1)
        found = {"stem": x}
        for name, prefix, stride, is_first in self._places():
            shortcut = x
            if is_first:
                shortcut = self._convolution(prefix + self.naming.shortcut, x, stride)
                shortcut = self._norm(prefix + self.naming.shortcut_norm, shortcut)
            for part in range(3):
                key = prefix + self.naming.convolution.format(part=part, part1=part + 1)
                x = self._convolution(key, x, stride if part == 1 else 1)
                x = self._norm(prefix + self.naming.norm.format(part=part, part1=part + 1), x)
                x = relu(x) if part < 2 else x
            x = relu(x + shortcut)
            found[name] = x
        return found | {"last": x}

    def _preactivation(self, images: Tensor) -> dict[str, Tensor]:
        x = max_pool2d(conv2d(images, self.state["stem.conv.weight"], stride=2, padding=3), 3, stride=2, padding=1)
        found = {}
        for name, prefix, stride, is_first in self._places():
            active = relu(self._norm(f"{prefix}norm1", x))
            shortcut = self._convolution(f"{prefix}downsample.conv", active, stride) if is_first else x
            x = self._convolution(f"{prefix}conv1", active, 1)
            x = self._convolution(f"{prefix}conv2", relu(self._norm(f"{prefix}norm2", x)), stride)
            x = self._convolution(f"{prefix}conv3", relu(self._norm(f"{prefix}norm3", x)), 1) + shortcut
            found[name] = x
        return found | {"last": relu(self._norm("norm", x))}

    def _places(self) -> list[tuple[str, str, int, bool]]:
        """For each block its name, the beginning of its keys, its stride, and whether it is the first of a stage."""
        return [
            (f"{stage}.{block}", self.naming.key_of_block(stage, block), 2 if stage and not block else 1, not block)
            for stage, count in enumerate(DEPTHS[self.depth])
            for block in range(count)
        ]

    def _convolution(self, key: str, x: Tensor, stride: int) -> Tensor:
        weight = self.state[f"{key}.weight"]
        return conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2)

    def _norm(self, key: str, x: Tensor) -> Tensor:
        mean, variance = self.state[f"{key}.running_mean"], self.state[f"{key}.running_var"]
        return batch_norm(x, mean, variance, self.state[f"{key}.weight"], self.state[f"{key}.bias"], eps=EPS)

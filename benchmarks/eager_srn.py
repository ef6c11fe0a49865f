"""The paper's SRN over a bottleneck ResNet as plain eager PyTorch, to measure the runtime against.

Written by hand as a PyTorch user would; the same sizes as `python -m prototxt_gen` gives for the same depth and width.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

BLOCKS = {26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class Bottleneck(nn.Module):
    """1x1 (strided), 3x3, 1x1, each normalised; the original ResNet's block."""

    def __init__(self, inputs: int, middle: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * middle
        self.conv1, self.norm1 = nn.Conv2d(inputs, middle, 1, stride, bias=False), nn.BatchNorm2d(middle)
        self.conv2, self.norm2 = nn.Conv2d(middle, middle, 3, 1, 1, bias=False), nn.BatchNorm2d(middle)
        self.conv3, self.norm3 = nn.Conv2d(middle, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.shortcut = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if stride != 1 or inputs != outputs
            else nn.Identity()
        )

    def forward(self, bottom: Tensor) -> Tensor:
        top = relu(self.norm1(self.conv1(bottom)), inplace=True)
        top = relu(self.norm2(self.conv2(top)), inplace=True)
        return relu(self.norm3(self.conv3(top)) + self.shortcut(bottom), inplace=True)


class Srn(nn.Module):
    """Backbone, f_cls, f_att, S and f_sr; returns y_cls, y_att and y_sr (N, labels)."""

    def __init__(self, depth: int, width: int, labels: int, size: int) -> None:
        super().__init__()
        head, channels, side = 8 * width, width, size // 16
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, ceil_mode=True),
        )
        stages = []
        for stage, count in enumerate(BLOCKS[depth]):
            middle = width * 2**stage
            blocks = []
            for block in range(count):
                blocks.append(Bottleneck(channels, middle, 2 if stage and not block else 1))
                channels = 4 * middle
            stages.append(nn.Sequential(*blocks))
        self.below, self.above = nn.Sequential(*stages[:3]), stages[3]
        tap = channels // 2
        self.classifier = nn.Linear(channels, labels)
        self.attention = nn.Sequential(
            nn.Conv2d(tap, head, 1),
            nn.ReLU(True),
            nn.Conv2d(head, head, 3, 1, 1),
            nn.ReLU(True),
            nn.Conv2d(head, labels, 1),
        )
        self.confidence = nn.Conv2d(tap, labels, 1)
        self.regularisation = nn.Sequential(
            nn.Conv2d(labels, head, 1), nn.ReLU(True), nn.Conv2d(head, head, 1), nn.ReLU(True),
            nn.Conv2d(head, 4 * head, side, groups=head), nn.ReLU(True), nn.Flatten(), nn.Linear(4 * head, labels),
        )  # fmt: skip

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        tap = self.below(self.stem(images))
        y_cls = self.classifier(self.above(tap).mean((2, 3)))
        maps, confidence = self.attention(tap), self.confidence(tap)
        attention = maps.flatten(2).softmax(2).view_as(maps)
        y_att = (attention * confidence).sum((2, 3))
        return y_cls, y_att, self.regularisation(attention * torch.sigmoid(confidence))

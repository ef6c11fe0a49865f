"""The windows of a pooling, and where these differ from torch's."""

from collections.abc import Sequence
from dataclasses import dataclass

from caffe_compat.layers.windows import pooled_sizes


@dataclass(frozen=True)
class PoolingWindow:
    """Kernel, stride and pad as (height, width), and whether output sizes round up."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    round_up: bool = True

    def pooled(self, sizes: Sequence[int]) -> list[int]:
        """The height and width of the top."""
        return pooled_sizes(sizes, self.kernel, self.stride, self.pad, self.round_up)

    def has_empty(self, sizes: Sequence[int]) -> bool:
        """Whether the last window starts beyond the image, as Caffe allows without padding."""
        return any(
            (count - 1) * step - margin >= size
            for count, step, margin, size in zip(self.pooled(sizes), self.stride, self.pad, sizes, strict=True)
        )

    def suits_torch(self, sizes: Sequence[int]) -> bool:
        """Whether torch's own padding and rounding give the same windows as Caffe."""
        halves = all(2 * margin <= extent for margin, extent in zip(self.pad, self.kernel, strict=True))
        return halves and self.pooled(sizes) == self._torch_sizes(sizes)

    def margins(self, sizes: Sequence[int]) -> list[int]:
        """Padding (left, right, top, bottom) with which unpadded, floor-rounded windows equal Caffe's windows."""
        margins = []
        for size, count, extent, step, margin in zip(
            sizes, self.pooled(sizes), self.kernel, self.stride, self.pad, strict=True
        ):
            margins.append((margin, (count - 1) * step + extent - size - margin))
        return [value for pair in reversed(margins) for value in pair]

    def divisors(self, sizes: Sequence[int]) -> list[list[int]]:
        """The extent of each window, clipped to the padded image: a list for rows and a list for columns."""
        return [
            [min(place * step - margin + extent, size + margin) - (place * step - margin) for place in range(count)]
            for size, count, extent, step, margin in zip(
                sizes, self.pooled(sizes), self.kernel, self.stride, self.pad, strict=True
            )
        ]

    def _torch_sizes(self, sizes: Sequence[int]) -> list[int]:
        counts = []
        for size, extent, step, margin in zip(sizes, self.kernel, self.stride, self.pad, strict=True):
            span = size + 2 * margin - extent
            count = (span + step - 1 if self.round_up else span) // step + 1
            counts.append(count - 1 if self.round_up and (count - 1) * step >= size + margin else count)
        return counts

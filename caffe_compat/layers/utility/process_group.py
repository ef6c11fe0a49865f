"""Joins batches of all processes, or splits a batch among processes, with gradients (for Gather and Scatter)."""

from typing import Any

import torch
from torch import Tensor
from torch import distributed as processes

from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.layers.base import LayerSpec, Shape


def require_equal_counts(spec: LayerSpec) -> None:
    """Raises an error unless there is one top per bottom."""
    if spec.top_count != len(spec.parameter.bottom):
        raise GraphError(f"{spec}: expected {len(spec.parameter.bottom)} tops (one a bottom), got {spec.top_count}")


def require_batch(spec: LayerSpec, bottom: Shape) -> None:
    """Raises ShapeError for a bottom without axes, which has no batch axis."""
    if not bottom:
        raise ShapeError(f"{spec}: expected a bottom (N, ...), got a single number")


def gather(bottom: Tensor, rank: int, world_size: int) -> Tensor:
    """The batches of all processes on axis 0; backward returns the own part of the gradient times `world_size`."""
    return bottom.view_as(bottom) if world_size == 1 else _applied(_Gather, bottom, rank, world_size)


def scatter(bottom: Tensor, rank: int, world_size: int) -> Tensor:
    """This process's part of the batch of rank 0; backward joins all gradients and divides by `world_size`."""
    return bottom.view_as(bottom) if world_size == 1 else _applied(_Scatter, bottom, rank, world_size)


def _applied(function: type[torch.autograd.Function], bottom: Tensor, rank: int, world_size: int) -> Tensor:
    top: Tensor = function.apply(bottom, rank, world_size)
    return top


def _join(part: Tensor, world_size: int) -> Tensor:
    parts = [torch.empty_like(part) for _ in range(world_size)]
    processes.all_gather(parts, part.contiguous())
    return torch.cat(parts)


def _deal(whole: Tensor, rank: int, world_size: int) -> Tensor:
    parts = [part.contiguous() for part in whole.chunk(world_size)]
    own = torch.empty_like(parts[0])
    processes.scatter(own, parts if rank == 0 else None, src=0)
    return own


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, bottom: Tensor, rank: int, world_size: int) -> Tensor:
        context.rank, context.world_size = rank, world_size
        return _join(bottom, world_size)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0].chunk(context.world_size)[context.rank] * context.world_size, None, None


class _Scatter(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, bottom: Tensor, rank: int, world_size: int) -> Tensor:
        context.world_size = world_size
        return _deal(bottom, rank, world_size)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _join(gradients[0], context.world_size) / context.world_size, None, None

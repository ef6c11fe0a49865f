"""The net that the check of an ONNX file runs: a batch of 2 where the net allows, as more would only take time."""

from dataclasses import replace

from caffe_compat.convert.assemble import Assembly
from caffe_compat.errors import CaffeError
from caffe_compat.graph.builder import GraphBuilder, shapes_only
from caffe_compat.graph.wiring import Step

#: Two images show what is mixed between images; one would not.
SMALL_BATCH = 2


def with_small_batch(net: Assembly) -> Assembly:
    """The net with SMALL_BATCH items per input, sharing its layers; the net itself where its batch is fixed or small.

    A batch is fixed where inputs differ in axis 0, or where a top's axis 0 is another than the inputs'.
    """
    batches = {shape[0] if shape else 0 for shape in net.inputs.values()}
    if len(batches) != 1 or max(batches) <= SMALL_BATCH:
        return net
    inputs = {name: (SMALL_BATCH, *shape[1:]) for name, shape in net.inputs.items()}
    builder = shapes_only(inputs)
    try:
        steps = [_resized(builder, step, max(batches)) for step in net.steps]
    except (CaffeError, RuntimeError):  # a layer states the batch, or its weights depend on it
        return net
    return replace(net, inputs=inputs, steps=tuple(steps), shapes={**net.shapes, **builder.shapes})


def _resized(builder: GraphBuilder, step: Step, batch: int) -> Step:
    """The step with the shapes of a small batch. Raises RuntimeError if its weights or tops do not follow the batch."""
    small = builder.add(step.layer.spec.parameter)
    fits = [blob.shape for blob in small.layer.blobs] == [blob.shape for blob in step.layer.blobs]
    pairs = list(zip(small.top_shapes, step.top_shapes, strict=True))
    follows = all(tuple(new) in (tuple(old), (SMALL_BATCH, *old[1:])) for new, old in pairs)
    batched = not step.layer.tops_have_batch or all(old and old[0] == batch for _, old in pairs)
    if not (fits and follows and batched):
        raise RuntimeError
    return replace(step, bottom_shapes=small.bottom_shapes, top_shapes=small.top_shapes)

"""Runs a net in OpenCV's Caffe importer (OpenCV 4; version 5 has none)."""

from collections.abc import Mapping

import cv2
import numpy as np

from caffe_compat.errors import MissingFeatureError
from caffe_compat.layers.utility.detection_output import DetectionOutput
from caffe_compat.net.net import Net
from caffe_compat.parity.compare import compare
from caffe_compat.parity.comparison import Comparison
from caffe_compat.parity.measure import TOLERANCES, Tolerances
from caffe_compat.parity.opencv_net import OpenCvNet, translate
from caffe_compat.parity.recording import Array, Recording
from caffe_compat.parity.replay import fill_inputs, value_of
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects.translate import OWN
from caffe_compat.proto.text import format_text
from caffe_compat.proto.write import weights_chunks


def compare_with_opencv(
    net: Net, inputs: Mapping[str, Array], tolerances: Tolerances = TOLERANCES["float32"]
) -> Comparison:
    """Runs a TEST net here and in OpenCV on the same inputs (one array per input blob) and compares every top."""
    return compare(net, record_opencv(net, inputs), inputs, tolerances)


def record_opencv(net: Net, inputs: Mapping[str, Array]) -> Recording:
    """Returns the recording of our net's run in OpenCV.

    Tops of layers that OpenCV cannot run are taken from our run; the notes list these layers.
    """
    require_importer()
    fill_inputs(net, inputs)
    other = translate(net)
    feeds = _values_to_feed(net, other)
    recording = Recording(f"OpenCV {cv2.__version__}", inputs=dict(inputs), notes=other.notes)
    recording.tops.update(_run(other, feeds))
    for step in net.steps:
        key = f"{step.layer.name}/{step.tops[0]}" if step.tops else ""
        found = recording.tops.get(key)
        if isinstance(step.layer, DetectionOutput) and isinstance(found, np.ndarray):
            recording.tops[key] = in_order_of_caffe(found, net.blobs[step.bottoms[0]].shape[0])
    inputs_of_net = {f"{step.layer.name}/{top}" for step in net.steps if step.layer.is_input for top in step.tops}
    recording.fed = {key: feeds[name] for name, key in other.fed.items() if key not in inputs_of_net}
    return recording


def require_importer() -> None:
    """Raises MissingFeatureError for OpenCV 5, which has no Caffe importer."""
    if not hasattr(cv2.dnn, "readNetFromCaffe") or int(cv2.__version__.split(".")[0]) > 4:
        raise MissingFeatureError(
            f"OpenCV {cv2.__version__} has no Caffe importer (it went with version 5); install 'opencv-python>=4.10,<5'"
        )


def _values_to_feed(net: Net, other: OpenCvNet) -> dict[str, Array]:
    """Returns the values of OpenCV's inputs: our tops, copied right after their layers ran."""
    names = {key: name for name, key in other.fed.items()}
    feeds = {}
    for index, step in enumerate(net.steps):
        net.forward_range(index, index)
        step.inputs, step.outputs = [], []
        for top in step.tops:
            if (key := f"{step.layer.name}/{top}") in names:
                feeds[names[key]] = np.array(value_of(net, top), np.float32)
    return feeds


def _names_and_types(net: caffe_pb2.NetParameter) -> caffe_pb2.NetParameter:
    """Returns the net with names and types only, which suffices for the weights file.

    OpenCV reads fields from the prototxt, and a weights file of one dialect might not hold all of them.
    """
    return caffe_pb2.NetParameter(
        name=net.name, layer=[caffe_pb2.LayerParameter(name=layer.name, type=layer.type) for layer in net.layer]
    )


def _run(other: OpenCvNet, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Returns every top by `layer/top`; layers are not fused, so that each top can be read."""
    layers = list(other.found.values())
    if not layers:
        raise MissingFeatureError(f"OpenCV {cv2.__version__} has none of this net's layers")
    prototxt = format_text(other.parameter).encode()
    weights = b"".join(weights_chunks(_names_and_types(other.parameter), other.blobs, OWN))
    try:
        network = cv2.dnn.readNetFromCaffe(np.frombuffer(prototxt, np.uint8), np.frombuffer(weights, np.uint8))
        network.enableFusion(False)
        network.enableWinograd(False)  # Winograd convolutions lose two digits of precision
        for name, values in feeds.items():
            network.setInput(values, name)
        results = network.forwardAndRetrieve(layers)
    except cv2.error as error:
        raise MissingFeatureError(f"OpenCV {cv2.__version__} cannot run this net: {error}") from error
    return {key: result[0] for key, result in zip(other.found, results, strict=True)}


def in_order_of_caffe(detections: Array, items: int) -> Array:
    """Returns OpenCV's detections (1, 1, N, 7) in Caffe's order: by item, class and score, without rows of zeros.

    If there are no detections at all, returns a row (item, -1, ...) for each of the `items`, as Caffe does.
    """
    rows = detections.reshape(-1, 7)
    found = rows[rows.any(axis=1)]
    if not len(found):
        found = np.full((items, 7), -1, np.float32)
        found[:, 0] = range(items)
    order = np.lexsort((-found[:, 2], found[:, 1], found[:, 0]))
    return found[order][None, None]

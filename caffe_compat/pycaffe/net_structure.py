"""What a net consists of, by name as pycaffe.py shows it and by number as pycaffe's C++ part does."""

import threading
from collections import OrderedDict
from collections.abc import Iterable

from caffe_compat.net import net as runtime
from caffe_compat.net.blob import Blob
from caffe_compat.proto import caffe_pb2
from caffe_compat.pycaffe.layer_face import show_layer


class Turns:
    """The lock of one net, and the thread that had it last."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.last = threading.get_ident()


class NetStructure:
    """Blobs, weights, layers and names, from input to output; made once, so that access is cheap."""

    def _show(self, net: runtime.Net) -> None:
        self._net = net
        self.turns = Turns()
        self.blobs: OrderedDict[str, Blob] = net.blobs
        self.params = net.params
        self.layers = [show_layer(step.layer, net.params.get(step.layer.name, [])) for step in net.steps]
        self.blob_loss_weights = net.blob_loss_weights
        self.inputs = list(net.inputs)
        self.outputs = list(net.outputs)
        self._layer_names = list(net.layer_names)
        self.layer_dict = OrderedDict(zip(self._layer_names, self.layers, strict=True))
        self.top_names = OrderedDict((step.layer.name, list(step.tops)) for step in net.steps)
        self.bottom_names = OrderedDict((step.layer.name, list(step.bottoms)) for step in net.steps)

    @property
    def phase(self) -> str:
        """TRAIN or TEST."""
        return caffe_pb2.Phase.Name(self._net.parameter.state.phase)

    # -- by number, as pycaffe's C++ part has it

    @property
    def name(self) -> str:
        """The net's name in its file."""
        return self._net.name

    @property
    def _blob_names(self) -> list[str]:
        return list(self.blobs)

    @property
    def _blobs(self) -> list[Blob]:
        return list(self.blobs.values())

    @property
    def _inputs(self) -> list[int]:
        return self._indices(self.inputs)

    @property
    def _outputs(self) -> list[int]:
        return self._indices(self.outputs)

    @property
    def _blob_loss_weights(self) -> list[float]:
        return list(self.blob_loss_weights.values())

    def _top_ids(self, layer: int) -> list[int]:
        return self._indices(self._net.steps[layer].tops)

    def _bottom_ids(self, layer: int) -> list[int]:
        return self._indices(self._net.steps[layer].bottoms)

    def _indices(self, blobs: Iterable[str]) -> list[int]:
        names = self._blob_names
        return [names.index(blob) for blob in blobs]

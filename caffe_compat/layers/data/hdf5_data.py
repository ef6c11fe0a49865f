"""HDF5Data: reads rows from the HDF5 files named in a list (hdf5_data_layer.cpp)."""

from typing import Any

from torch import Tensor

from caffe_compat.data.batch import upload
from caffe_compat.data.draws import Order
from caffe_compat.data.sources.hdf5 import Hdf5Rows
from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Shape, at_least
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.data.base_data import DataLayer
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import LayerSpec


@register_layer("HDF5Data")
class HDF5Data(DataLayer):
    """Each top is the dataset of the same name, batch_size rows per forward; there is no transform."""

    known_to = BVLC_AND_SRN
    example = "hdf5_data_param { source: 'FILES/hdf5.txt' batch_size: 1 }"
    tops = at_least(1)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        if spec.parameter.HasField("transform_param"):
            raise FieldError(f"{spec}: HDF5Data does not transform data; drop transform_param")
        params = spec.params("hdf5_data_param")
        if params.batch_size < 1:
            raise FieldError(f"{spec}: positive batch size required, got {params.batch_size}")
        self.batch_size: int = params.batch_size
        self._rows = Hdf5Rows(params.source, spec.parameter.top, params.shuffle, self.order_seed, str(spec))
        self._order = Order(len(self._rows), self.order_seed, False, *self.share)
        self._next = 0

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """One shape per dataset: (batch_size, *shape of a row)."""
        return [(self.batch_size, *shape) for shape in self._rows.row_shapes()]

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        """The next batch_size rows of each dataset, float32."""
        places = [self._order.place(self._next + number) for number in range(self.batch_size)]
        self._next += self.batch_size
        return tuple(upload(rows, self.device) for rows in self._rows.rows(places))

    def check_data(self) -> None:
        """Reads every file of the list once; DataError at the first damaged file."""
        self._rows.check()

    def state(self) -> dict[str, Any]:
        """The position of the next row, and the seed of the order."""
        return {"next": self._next, "order_seed": self._rows.seed}

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a `state()`."""
        self._next, self._rows.seed = state["next"], state["order_seed"]

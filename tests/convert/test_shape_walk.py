import pytest

from caffe_compat.convert.shape_walk import ShapeWalk
from caffe_compat.errors import GraphError
from caffe_compat.proto import caffe_pb2


def pooling(name: str, bottom: str, kernel: int = 2) -> caffe_pb2.LayerParameter:
    layer = caffe_pb2.LayerParameter(name=name, type="Pooling", bottom=[bottom], top=[name])
    layer.pooling_param.kernel_size = kernel
    return layer


def test_shapes_flow() -> None:
    walk = ShapeWalk({"data": (2, 3, 7, 9)})
    walk.enter(pooling("a", "data"))
    walk.enter(pooling("b", "data"))
    walk.enter(pooling("c", "data", kernel=3))

    assert (walk.shapes["a"], walk.shapes["b"], walk.shapes["c"]) == ((2, 3, 6, 8), (2, 3, 6, 8), (2, 3, 5, 7))


def test_weights_take_no_memory_and_the_layer_is_itself_again() -> None:
    layer = caffe_pb2.LayerParameter(name="ip", type="InnerProduct", bottom=["data"], top=["ip"])
    layer.inner_product_param.num_output = 10**9
    made = ShapeWalk({"data": (2, 3)}).enter(layer)

    assert tuple(made.blobs[0].shape) == (10**9, 3)
    assert "add_blob" not in vars(made)


def test_an_unknown_bottom_is_refused() -> None:
    with pytest.raises(
        GraphError, match=r"^layer 'a' \(Pooling\): unknown bottom blob 'data': no layer before it makes"
    ):
        ShapeWalk({}).enter(pooling("a", "data"))

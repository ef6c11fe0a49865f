"""Makes the Caffe net of a recognised ResNet: layers and names of the public ResNets, with the project's strides.

The stride of a stage is on the 3x3 convolution. pool1 pads by 1 and rounds down, as in PyTorch. Caffe's public ResNets
do not pad and round up: their tops have the same size, but each window is one pixel further right and down.
"""

from caffe_compat.convert.pretrained.naming import BlockPlace, scale_name
from caffe_compat.convert.pretrained.recognise import ResNet, convolution_shapes, head_of
from caffe_compat.proto import caffe_pb2

POOL1 = caffe_pb2.PoolingParameter(
    pool=caffe_pb2.PoolingParameter.MAX,
    kernel_size=3,
    stride=2,
    pad=1,
    round_mode=caffe_pb2.PoolingParameter.FLOOR,
)
SIZE = 224
#: Name of the public ResNets' classifier; classifiers of generated nets differ, so other files cannot fill them.
CLASSIFIER = "fc1000"


class _Net:
    """Builds a net: `last` is the blob that the next layer reads, `sum` is the last block's sum."""

    def __init__(self, resnet: ResNet) -> None:
        self.message = caffe_pb2.NetParameter(name=f"ResNet-{resnet.depth}")
        data = self.message.layer.add(name="data", type="Input", top=["data"])
        data.input_param.shape.add(dim=[1, 3, SIZE, SIZE])
        self._shapes = convolution_shapes(resnet.places, resnet.width)
        self.last = self.sum = "data"

    def convolution(self, name: str, bottom: str, stride: int = 1) -> str:
        outputs, _, kernel, _ = self._shapes[name]
        layer = self.message.layer.add(name=name, type="Convolution", bottom=[bottom], top=[name])
        field = layer.convolution_param
        field.num_output, field.bias_term = outputs, False
        field.kernel_size[:], field.stride[:], field.pad[:] = [kernel], [stride], [kernel // 2]
        return name

    def norm(self, name: str, bottom: str, in_place: bool = True) -> str:
        top = bottom if in_place else name
        self.message.layer.add(name=name, type="BatchNorm", bottom=[bottom], top=[top])
        scale = self.message.layer.add(name=scale_name(name), type="Scale", bottom=[top], top=[top])
        scale.scale_param.bias_term = True
        return top

    def relu(self, name: str, blob: str) -> str:
        self.message.layer.add(name=name, type="ReLU", bottom=[blob], top=[blob])
        return blob

    def pool1(self, bottom: str) -> str:
        self.message.layer.add(name="pool1", type="Pooling", bottom=[bottom], top=["pool1"], pooling_param=POOL1)
        return "pool1"

    def total(self, name: str, *bottoms: str) -> str:
        self.message.layer.add(name=name, type="Eltwise", bottom=bottoms, top=[name])
        self.sum = name
        return name


def describe_resnet(resnet: ResNet) -> caffe_pb2.NetParameter:
    """Returns the whole net, with pool5 and, if the file has one, the classifier."""
    net = _Net(resnet)
    add_block = _add_preactivation_block if resnet.naming.is_preactivation else _add_block
    _add_stem(net, resnet.naming.is_preactivation)
    for place in resnet.places:
        add_block(net, place)
    _add_head(net, resnet)
    return net.message


def _add_stem(net: _Net, is_preactivation: bool) -> None:
    """Adds the layers before the first block; timm's resnetv2 pools before normalisation, the others after it."""
    net.last = net.convolution("conv1", net.last, stride=2)
    if is_preactivation:
        net.last = net.pool1(net.last)
    net.last = net.relu("conv1_relu", net.norm("bn_conv1", net.last))
    if not is_preactivation:
        net.last = net.pool1(net.last)


def _add_block(net: _Net, place: BlockPlace) -> None:
    name, stride, shortcut = place.name, _stride(place), net.last
    if place.block == 0:
        shortcut = net.norm(f"bn{name}_branch1", net.convolution(f"res{name}_branch1", net.last, stride))
    branch = net.last
    for letter in "abc":
        role = f"{name}_branch2{letter}"
        branch = net.norm(f"bn{role}", net.convolution(f"res{role}", branch, stride if letter == "b" else 1))
        if letter != "c":
            net.relu(f"res{role}_relu", branch)
    net.last = net.relu(f"res{name}_relu", net.total(f"res{name}", shortcut, branch))


def _add_preactivation_block(net: _Net, place: BlockPlace) -> None:
    """Adds a block whose branch reads the normalised sum of the previous block.

    The shortcut is the previous sum itself, or a convolution.
    """
    name, stride, shortcut = place.name, _stride(place), net.sum
    if place.block == 0:
        shortcut = net.convolution(f"res{name}_branch1", net.last, stride)
    branch = net.convolution(f"res{name}_branch2a", net.last)
    branch = net.relu(f"res{name}_branch2a_relu", net.norm(f"bn{name}_branch2a", branch))
    branch = net.convolution(f"res{name}_branch2b", branch, stride)
    branch = net.relu(f"res{name}_branch2b_relu", net.norm(f"bn{name}_branch2b", branch))
    branch = net.convolution(f"res{name}_branch2c", branch)
    total = net.total(f"res{name}", shortcut, branch)
    net.last = net.relu(f"res{name}_relu", net.norm(f"bn{name}", total, in_place=False))


def _stride(place: BlockPlace) -> int:
    return 2 if place.stage and place.block == 0 else 1


def _add_head(net: _Net, resnet: ResNet) -> None:
    pool = net.message.layer.add(name="pool5", type="Pooling", bottom=[net.last], top=["pool5"]).pooling_param
    pool.pool, pool.global_pooling = caffe_pb2.PoolingParameter.AVE, True
    head = head_of(resnet)
    if head is not None:
        layer = net.message.layer.add(name=CLASSIFIER, type="InnerProduct", bottom=["pool5"], top=[CLASSIFIER])
        layer.inner_product_param.num_output = head[0].shape[0]
        net.message.layer.add(name="prob", type="Softmax", bottom=[CLASSIFIER], top=["prob"])

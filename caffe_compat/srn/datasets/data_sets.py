"""The data sets that `caffe-compat prepare` writes, by the names of its subcommands."""

from caffe_compat.srn.datasets.coco import COCO
from caffe_compat.srn.datasets.nus_wide import NUS_WIDE
from caffe_compat.srn.datasets.own.data import OWN
from caffe_compat.srn.datasets.samples import DataSet
from caffe_compat.srn.datasets.wider_attribute import WIDER_ATTRIBUTE

DATA_SETS: dict[str, DataSet] = {
    "coco": COCO,
    "nus_wide": NUS_WIDE,
    "wider_att": WIDER_ATTRIBUTE,
    "own": OWN,
}

"""Caffe's utility layers."""

from caffe_compat.layers.utility.argmax import ArgMax as ArgMax
from caffe_compat.layers.utility.batch_reduction import BatchReduction as BatchReduction
from caffe_compat.layers.utility.batch_reindex import BatchReindex as BatchReindex
from caffe_compat.layers.utility.concat import Concat as Concat
from caffe_compat.layers.utility.detection_output import DetectionOutput as DetectionOutput
from caffe_compat.layers.utility.eltwise import Eltwise as Eltwise
from caffe_compat.layers.utility.filter import Filter as Filter
from caffe_compat.layers.utility.flatten import Flatten as Flatten
from caffe_compat.layers.utility.gather import Gather as Gather
from caffe_compat.layers.utility.nms import Nms as Nms
from caffe_compat.layers.utility.parameter import Parameter as Parameter
from caffe_compat.layers.utility.permute import Permute as Permute
from caffe_compat.layers.utility.python import Python as Python
from caffe_compat.layers.utility.reduction import Reduction as Reduction
from caffe_compat.layers.utility.reshape import Reshape as Reshape
from caffe_compat.layers.utility.scatter import Scatter as Scatter
from caffe_compat.layers.utility.shuffle_channel import ShuffleChannel as ShuffleChannel
from caffe_compat.layers.utility.silence import Silence as Silence
from caffe_compat.layers.utility.slice import Slice as Slice
from caffe_compat.layers.utility.softmax import Softmax as Softmax
from caffe_compat.layers.utility.split import Split as Split
from caffe_compat.layers.utility.tile import Tile as Tile
from caffe_compat.layers.utility.yolo_detection_output import YoloDetectionOutput as YoloDetectionOutput

"""Elementwise layers: top 0 has the shape of bottom 0, or of x for Axpy."""

from caffe_compat.layers.activation.absval import AbsVal as AbsVal
from caffe_compat.layers.activation.axpy import Axpy as Axpy
from caffe_compat.layers.activation.bias import Bias as Bias
from caffe_compat.layers.activation.bnll import BNLL as BNLL
from caffe_compat.layers.activation.clip import Clip as Clip
from caffe_compat.layers.activation.elu import ELU as ELU
from caffe_compat.layers.activation.exp import Exp as Exp
from caffe_compat.layers.activation.log import Log as Log
from caffe_compat.layers.activation.power import Power as Power
from caffe_compat.layers.activation.prelu import PReLU as PReLU
from caffe_compat.layers.activation.relu import ReLU as ReLU
from caffe_compat.layers.activation.relu6 import ReLU6 as ReLU6
from caffe_compat.layers.activation.scale import Scale as Scale
from caffe_compat.layers.activation.sigmoid import Sigmoid as Sigmoid
from caffe_compat.layers.activation.swish import Swish as Swish
from caffe_compat.layers.activation.tanh import TanH as TanH
from caffe_compat.layers.activation.threshold import Threshold as Threshold

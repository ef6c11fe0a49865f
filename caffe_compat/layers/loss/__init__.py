"""Layers that compare predictions with labels."""

from caffe_compat.layers.loss.accuracy import Accuracy as Accuracy
from caffe_compat.layers.loss.contrastive_loss import ContrastiveLoss as ContrastiveLoss
from caffe_compat.layers.loss.euclidean_loss import EuclideanLoss as EuclideanLoss
from caffe_compat.layers.loss.hinge_loss import HingeLoss as HingeLoss
from caffe_compat.layers.loss.infogain_loss import InfogainLoss as InfogainLoss
from caffe_compat.layers.loss.multinomial_logistic_loss import MultinomialLogisticLoss as MultinomialLogisticLoss
from caffe_compat.layers.loss.sigmoid_cross_entropy_loss import SigmoidCrossEntropyLoss as SigmoidCrossEntropyLoss
from caffe_compat.layers.loss.smooth_l1_loss import SmoothL1Loss as SmoothL1Loss
from caffe_compat.layers.loss.softmax_loss import SoftmaxWithLoss as SoftmaxWithLoss
from caffe_compat.layers.loss.warp_loss import WARPLoss as WARPLoss

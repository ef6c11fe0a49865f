"""How gradients become steps: one file per rule, each with the float32 mathematics of Caffe's solver of that name.

Importing this package registers every rule.
"""

from caffe_compat.solvers.update_rules.adadelta import AdaDelta as AdaDelta
from caffe_compat.solvers.update_rules.adagrad import AdaGrad as AdaGrad
from caffe_compat.solvers.update_rules.adam import Adam as Adam
from caffe_compat.solvers.update_rules.nesterov import Nesterov as Nesterov
from caffe_compat.solvers.update_rules.rmsprop import RMSProp as RMSProp
from caffe_compat.solvers.update_rules.sgd import SGD as SGD

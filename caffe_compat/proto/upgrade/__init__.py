"""Old files and files of other Caffes, in the words of today: what happens to nets and solvers on load."""

from caffe_compat.proto.upgrade.net import PROBLEMS as PROBLEMS
from caffe_compat.proto.upgrade.net import upgrade_net as upgrade_net
from caffe_compat.proto.upgrade.solver import complete_snapshot_prefix as complete_snapshot_prefix
from caffe_compat.proto.upgrade.solver import upgrade_solver as upgrade_solver

"""Upgrades nets and solvers on load: converts old files and files of other Caffes to today's fields."""

from caffe_compat.proto.upgrade.on_load import PROBLEMS as PROBLEMS
from caffe_compat.proto.upgrade.on_load import complete_snapshot_prefix as complete_snapshot_prefix
from caffe_compat.proto.upgrade.on_load import upgrade_net as upgrade_net
from caffe_compat.proto.upgrade.on_load import upgrade_solver as upgrade_solver

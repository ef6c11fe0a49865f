"""The flags that train, test, time and device_query share, as in tools/caffe.cpp, and ours behind them."""

from caffe_compat.cli.flags import Flag, Flags
from caffe_compat.net.build import Surroundings

FLAGS = (
    Flag("gpu", "", "run on these GPUs, separated by commas; 'all', or 'none' whatever the solver says; the effective "
         "training batch size is multiplied by the number of devices"),
    Flag("solver", "", "the solver definition protocol buffer text file"),
    Flag("model", "", "the model definition protocol buffer text file"),
    Flag("phase", "", "network phase (TRAIN or TEST), only used for 'time'"),
    Flag("level", 0, "network level"),
    Flag("stage", "", "network stages (not to be confused with phase), separated by ','"),
    Flag("snapshot", "", "the snapshot solver state to resume training from"),
    Flag("weights", "", "the pretrained weights to initialize finetuning, separated by ','; not with snapshot"),
    Flag("iterations", 50, "the number of iterations to run"),
    Flag("sigint_effect", "stop", "action to take when a SIGINT signal is received: snapshot, stop or none"),
    Flag("sighup_effect", "snapshot", "action to take when a SIGHUP signal is received: snapshot, stop or none"),
    Flag("engine", "fast", "fast (layers fused) or exact (every layer on its own), for train and test"),
    Flag("log_file", "", "writes the log of 'train' to the end of this file as well"),
    Flag("allow_python_layers", False, "lets Python layers of a net run the code that they name"),
)  # fmt: skip


def stages_of(flags: Flags) -> list[str]:
    """The stages; without the flag one empty stage, as in Caffe."""
    return str(flags.stage).split(",")


def surroundings_of(flags: Flags) -> Surroundings:
    """What nets are told beyond their prototxt."""
    return Surroundings(allow_python_layers=flags.allow_python_layers)

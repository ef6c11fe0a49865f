"""Which weights have a gradient whose memory somebody holds, so that it must stay the gradient's, as in Caffe.

All other gradients may be forgotten before a backward pass, which then need not add to zeros.
"""

from torch import nn


def keep_gradient(parameter: nn.Parameter) -> None:
    """Notes that somebody may hold the gradient's memory, for example as an array."""
    vars(parameter)["gradient_is_kept"] = True


def gradient_is_kept(parameter: nn.Parameter) -> bool:
    """Whether the gradient must keep its memory."""
    return getattr(parameter, "gradient_is_kept", False)

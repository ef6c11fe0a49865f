"""Names of the Caffes with differing binary files, shared by `known_to` of layer classes and by the dialects.

Other Caffes (SSD, SegNet ...) appear in `known_to` under the name that their users know.
"""

from dataclasses import dataclass

BVLC = "BVLC"
SRN_FORK = "SRN fork"  # yjxiong/caffe, the Caffe of SRN's released models
BVLC_AND_SRN = (BVLC, SRN_FORK)


@dataclass(frozen=True)
class Meaning:
    """What some Caffes mean by a layer type or field that other Caffes use differently.

    `told_by` says which text in a net shows this meaning. `here` says what this runtime does with such a net.
    """

    caffes: str
    computes: str
    told_by: str
    here: str = "runs"

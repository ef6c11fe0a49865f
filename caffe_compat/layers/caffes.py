"""Names of the Caffes whose binary files differ: what `known_to` of a layer class and the dialects have in common.

Other Caffes (SSD, SegNet ...) appear in `known_to` under the name that their users know.
"""

from dataclasses import dataclass

BVLC = "BVLC"
SRN_FORK = "SRN fork"  # yjxiong/caffe, which SRN's models were released for
BVLC_AND_SRN = (BVLC, SRN_FORK)


@dataclass(frozen=True)
class Meaning:
    """What one or more Caffes mean by a layer type or a field that others use otherwise.

    `told_by` says how a net's text shows this meaning, `here` what becomes of such a net.
    """

    caffes: str
    computes: str
    told_by: str
    here: str = "runs"

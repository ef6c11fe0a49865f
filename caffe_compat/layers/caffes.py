"""Names of the Caffes whose binary files differ: what `known_to` of a layer class and the dialects have in common.

Other Caffes (SSD, SegNet ...) appear in `known_to` under the name that their users know.
"""

BVLC = "BVLC"
SRN_FORK = "SRN fork"  # yjxiong/caffe, which SRN's models were released for
BVLC_AND_SRN = (BVLC, SRN_FORK)

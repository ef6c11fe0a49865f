"""Converts between normalisation layers: BatchNorm and Scale, the SRN fork's BN, and folded weights."""

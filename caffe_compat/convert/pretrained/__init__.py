"""ResNets that other projects publish as PyTorch state dicts, as weights for Caffe's ResNets, and the way back."""

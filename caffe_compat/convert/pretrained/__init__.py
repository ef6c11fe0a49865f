"""Converts ResNets that other projects publish as PyTorch state dicts to weights for Caffe's ResNets, and back."""

"""A runtime that reads Caffe nets, weights and solvers and runs them on PyTorch."""

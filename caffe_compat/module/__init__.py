"""A trained Caffe net as a PyTorch module: `load` makes it from a file, `save` writes it to one."""

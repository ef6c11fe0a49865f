"""A trained Caffe net as a PyTorch module: `load` reads a module from a file, `save` writes a module to a file."""

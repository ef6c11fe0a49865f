"""Collects what this runtime supports of each layer type; `python -m caffe_compat.catalogue ROOT` writes the pages."""

"""Caffe's commands: one file each, which parses its arguments and calls what does the work."""

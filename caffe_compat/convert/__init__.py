"""Trained nets between Caffe's files and those of other programs, without loss; every change is in a report."""

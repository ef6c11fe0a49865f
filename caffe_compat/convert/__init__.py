"""Converts trained nets between Caffe's files and those of other programs; a report lists every change."""

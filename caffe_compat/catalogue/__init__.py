"""What this runtime knows of Caffe's layers, found by asking it: `python -m caffe_compat.catalogue docs/layers.md`."""

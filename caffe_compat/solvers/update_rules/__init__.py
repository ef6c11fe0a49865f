"""How gradients become steps: one file a rule, each with the float32 mathematics of Caffe's solver of that name."""

"""What belongs to the paper and not to Caffe: datasets, metrics, prediction and the training stages."""

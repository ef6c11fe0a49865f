from caffe_compat.convert.formats.blob_names import blob_keys


def test_names_follow_pytorch_where_the_numbers_do() -> None:
    assert blob_keys("caffe.BN_1", "BN", 4) == [
        "caffe.BN_1.weight",
        "caffe.BN_1.bias",
        "caffe.BN_1.running_mean",
        "caffe.BN_1.running_var",
    ]
    assert blob_keys("conv1", "Convolution", 1) == ["conv1.weight"]


def test_sums_are_not_called_running_statistics() -> None:
    assert blob_keys("bn", "BatchNorm", 3) == ["bn.mean_sum", "bn.variance_sum", "bn.factor"]


def test_other_types_and_odd_counts_have_numbers() -> None:
    assert blob_keys("a", "LSTM", 3) == ["a.0", "a.1", "a.2"]
    assert blob_keys("a", "Convolution", 3) == ["a.0", "a.1", "a.2"]

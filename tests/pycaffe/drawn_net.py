"""A net to draw."""

from google.protobuf import text_format

from caffe_compat.proto import caffe_pb2

TEXT = """
name: 'drawn'
layer { name: 'data' type: 'Data' top: 'data' data_param { batch_size: 9 } include { phase: TRAIN } }
layer { name: 'input' type: 'Input' top: 'data' exclude { phase: TRAIN } }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv' param { lr_mult: 0.5 }
  convolution_param { num_output: 6 kernel_size: 3 stride: 2 pad: 1 } }
layer { name: 'relu' type: 'ReLU' bottom: 'conv' top: 'conv' }
layer { name: 'pool' type: 'Pooling' bottom: 'conv' top: 'pool:1' pooling_param { pool: AVE kernel_size: 2 } }
layer { name: 'fc' type: 'InnerProduct' bottom: 'pool:1' top: 'fc' inner_product_param { num_output: 5 } }
"""


def drawn_net() -> caffe_pb2.NetParameter:
    return text_format.Parse(TEXT, caffe_pb2.NetParameter())

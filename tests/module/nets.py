"""Modules for tests: a small net with every kind of layer that `train` switches, made from text."""

import numpy as np
import torch

from caffe_compat.convert.model import assemble
from caffe_compat.layers.base import Layer
from caffe_compat.module.caffe_module import CaffeModule
from tests.convert.models import model_of

TEXT = """
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 8 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 bias_term: false } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" batch_norm_param { use_global_stats: true } }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "bn2" type: "BN" bottom: "conv2" top: "bn2" }
layer { name: "sum" type: "Eltwise" bottom: "bn2" bottom: "conv1" top: "sum" }
layer { name: "relu2" type: "ReLU" bottom: "sum" top: "sum" }
layer { name: "pool" type: "Pooling" bottom: "sum" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "drop" type: "Dropout" bottom: "pool" top: "pool" dropout_param { dropout_ratio: 0.4 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 5 } }
"""


def small(engine: str = "fast", text: str = TEXT, seed: int = 3, outputs: tuple[str, ...] = ()) -> CaffeModule:
    """The net of a text, with seeded weights."""
    return CaffeModule(assemble(model_of(text, seed)), outputs, engine)


def layer_of(module: CaffeModule, name: str) -> Layer:
    """Returns a Caffe layer of a module that its path names."""
    layer = module.get_submodule(name)
    assert isinstance(layer, Layer)
    return layer


def images(*shape: int, seed: int = 5) -> torch.Tensor:
    """Seeded images of N(0, 1)."""
    values = np.random.default_rng(seed).normal(size=shape or (2, 3, 9, 8))
    return torch.from_numpy(values.astype(np.float32))

"""Generates the nets and solvers of the SRN paper as Caffe's messages and text files.

    from prototxt_gen import generate
    messages = generate(model="resnet101_srn", dataset="coco")     # file name -> NetParameter or SolverParameter

`python -m prototxt_gen --help` lists the same options for files.
"""

from prototxt_gen.files import count, generate, write
from prototxt_gen.options import DATASETS, GeneratorOptions
from prototxt_gen.recipes import COMPARED_MODELS, MODELS, PAPERS_MODELS

#: The name of the options in version 0.1.
Options = GeneratorOptions

__all__ = [
    "COMPARED_MODELS",
    "DATASETS",
    "MODELS",
    "PAPERS_MODELS",
    "GeneratorOptions",
    "Options",
    "count",
    "generate",
    "write",
]

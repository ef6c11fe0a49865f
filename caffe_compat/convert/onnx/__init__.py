"""A deploy net as ONNX: one function a layer type, in a table."""

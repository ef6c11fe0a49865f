"""Other runtimes as engines: ONNX Runtime and OpenVINO run what our own ONNX export makes of a net at TEST."""

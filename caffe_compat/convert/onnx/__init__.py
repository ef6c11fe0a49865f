"""Exports a deploy net to ONNX; a table maps layer types to the functions that write their nodes."""

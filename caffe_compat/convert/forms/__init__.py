"""Turns the net in a weights file into prototxts like those that users write: for deployment and for training."""

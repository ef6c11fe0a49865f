"""The net in a weights file as the prototxts that a user would write."""

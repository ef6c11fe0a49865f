"""Questions about a net that all packages share: layers of a phase, their order, shapes, readers and outputs."""

"""What every package asks about a net: its layers for a phase, their order, shapes, readers and outputs."""

"""What programs show on a terminal: progress with remaining time, and tables."""

"""Passes: functions that rewrite a plan without a change of its results; each pass has a test of this."""

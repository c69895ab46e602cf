"""Turns networks into deployable artefacts. Knows graphs, not ECG; imports nothing of `ecgkd`."""

"""Measures artefacts on devices. Knows artefacts and devices; imports nothing of `ecgkd`."""

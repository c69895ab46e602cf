"""Scores in, numbers with intervals out: error rates, calibration, baselines, robustness. No torch here."""

"""Edge-deployment toolkit for ECG-based identification on smartwatch-class hardware."""

__version__ = "0.1.0"

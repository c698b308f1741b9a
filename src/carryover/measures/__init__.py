"""Estimates computed from features and labels (NumPy and SciPy, float64, no torch)."""

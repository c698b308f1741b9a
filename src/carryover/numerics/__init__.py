"""Numerical building blocks: linear algebra, divergences, Monte-Carlo intervals. float64, no torch."""
